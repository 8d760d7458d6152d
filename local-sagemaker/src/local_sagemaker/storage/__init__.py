"""What outlives the service: resources in SQLite, objects as plain files."""

"""The objects of S3 as plain files."""

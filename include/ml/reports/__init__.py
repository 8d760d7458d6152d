"""Reports for people, each one HTML page that needs nothing else."""

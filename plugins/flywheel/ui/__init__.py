"""Flywheel's page inside Airflow's UI: an application of its own below `/flywheel`."""

"""What Airflow, the command line, the page, the notebooks and the jobs share, without Airflow or pandas."""

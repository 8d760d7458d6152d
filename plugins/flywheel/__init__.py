"""What is Airflow's own: operators, triggers, hooks, and the names, requests and records they share."""

"""What docker-compose.yml needs beside Airflow: its image, a local SageMaker, and running a cycle."""

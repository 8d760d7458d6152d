"""What docker-compose.yml needs beside Airflow: its image, a local SageMaker, and turning a cycle."""

"""The job image: its entry point, and its description for the local SageMaker."""

"""The local SageMaker's processes: jobs, endpoints, batch transforms."""

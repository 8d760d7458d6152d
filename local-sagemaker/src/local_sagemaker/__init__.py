"""A local AWS that executes SageMaker jobs, endpoints and transforms on this machine."""

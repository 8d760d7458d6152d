"""The operations of SageMaker, one module per kind of resource."""

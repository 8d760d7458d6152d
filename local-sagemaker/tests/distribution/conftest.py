"""The fixtures that the distribution gives to other people's tests."""

from local_sagemaker.testing import local_sagemaker_options, local_sagemaker_service

__all__ = ["local_sagemaker_options", "local_sagemaker_service"]

"""Serving a model inside the container: model files, request bodies, predictions."""

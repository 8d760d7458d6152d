"""Processes that outlive the service: images, isolation, fork servers, logs."""

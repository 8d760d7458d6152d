"""Connections to AWS."""

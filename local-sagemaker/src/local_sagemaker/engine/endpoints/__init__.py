"""Endpoints: containers, rollouts, invocations, capture and metrics."""

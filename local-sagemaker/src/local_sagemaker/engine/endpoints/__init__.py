"""Endpoints: their replica sets, rollouts, invocations, data capture and metrics."""

"""Starts, watches and stops everything one machine needs: `make run`, `make status`, `make down`."""

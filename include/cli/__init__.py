"""What `make run`, `make status` and `make down` do: the services of one machine, a cycle's first turn."""

"""What the DAGs include: the cycles, the jobs they run, and the services that make one machine enough."""

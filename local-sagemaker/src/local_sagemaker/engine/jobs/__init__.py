"""Jobs: the pool, the worker of each job, and what each kind of job does."""

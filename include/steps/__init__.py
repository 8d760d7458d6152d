"""What runs inside a job: one short entry point per step."""

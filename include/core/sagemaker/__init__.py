"""SageMaker as a cycle uses it: clients, kinds of job as data, requests, rollouts, captured traffic."""

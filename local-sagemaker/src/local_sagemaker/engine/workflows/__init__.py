"""Work made of other work, tuning jobs and pipelines: it asks the API's operations as a client would."""

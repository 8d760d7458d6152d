"""Images that every local SageMaker knows: what runs in their containers, and nothing of the service."""

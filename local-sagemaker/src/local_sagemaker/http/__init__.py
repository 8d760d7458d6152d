"""The wire: the server, its connections, and the way from a request to its handler."""

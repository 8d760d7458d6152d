"""The definition of a pipeline: read, checked and evaluated. Pure."""

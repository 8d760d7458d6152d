"""The definition of a pipeline: parsed, checked and evaluated."""


class DefinitionError(Exception):
    """A pipeline definition, or what a request wants of it, is not valid; the text is fit for the client."""

"""Every document that steps hand on or keep, as a typed value.

This package imports nothing: a document counts for the keys of the steps that use it, and for no others.
"""

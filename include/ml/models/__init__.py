"""Fitted models: baselines, export, importance, and whether two models agree."""

"""Imports what tasks need into Airflow's scheduler, before it forks the processes that run them.

Airflow imports this module in every component. The local executor's workers and their tasks are forks of the
scheduler: a task that finds these imported starts in tenths of a second instead of seconds. pandas and
scikit-learn are not among them, because they work in jobs and never in a task.
"""

from __future__ import annotations

import importlib
import sys

#: what the operators import, and what Airflow itself imports late
EARLY = (
    "boto3",
    "airflow.providers.amazon.aws.hooks.base_aws",
)

if "scheduler" in sys.argv:
    for module in EARLY:
        importlib.import_module(module)
    # A client's making is mostly the reading of its service's model; the forks share what is read here.
    importlib.import_module("include.core.sagemaker.client").warm()
    # Parsing takes milliseconds for each file of a step; the forks read again only what has changed.
    importlib.import_module("include.core.code").warm()

"""The operations that are emulated, one module per subject; `load` imports them all."""

from __future__ import annotations

import importlib
import pkgutil


def load() -> None:
    """Import every module below this package, so that each registers its operations."""
    for module in pkgutil.walk_packages(__path__, f"{__name__}."):
        importlib.import_module(module.name)

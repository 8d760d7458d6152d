"""One package per model, each with a `cycle.py` that describes its continuous cycle."""

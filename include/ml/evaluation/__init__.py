"""How good a model is, and whether it is surely better than another."""

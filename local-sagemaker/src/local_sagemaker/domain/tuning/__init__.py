"""How a tuning job chooses hyperparameters, and when it ends: pure, without clock, disk or network."""

"""Pure rules without clock, disk or network."""

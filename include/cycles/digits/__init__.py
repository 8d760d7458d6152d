"""Which digit was written? The small image example: 8 x 8 grey values, ten classes."""

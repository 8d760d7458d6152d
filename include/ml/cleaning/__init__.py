"""Reading and cleaning of tables by declared rules."""

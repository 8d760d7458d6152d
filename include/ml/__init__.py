"""Pure functions shared by every cycle: no files, no clock, no environment."""

"""Own the rules of the service as pure functions and values: no clock, disk, network or unseeded chance."""

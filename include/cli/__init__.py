"""The commands of the Makefile: the services of one machine, and a cycle's runs on them."""

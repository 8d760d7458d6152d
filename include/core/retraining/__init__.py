"""When a model is trained anew: the rule, the requests and the records of what monitoring found."""

"""AWS's built-in algorithms, answered by scikit-learn: training, serving, and a module for each algorithm."""

"""The framework image of scikit-learn: script mode in training and serving."""

"""What models see: combined attributes, labels, and the split by time."""

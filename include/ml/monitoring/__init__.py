"""What has moved since the baseline, what answers were worth, and whether that is an alarm."""

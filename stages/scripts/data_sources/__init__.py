"""Where data come from, one kind of source a file: each gives Samples (samples.py)."""

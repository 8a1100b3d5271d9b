"""Readers of data sets: each gives Samples."""

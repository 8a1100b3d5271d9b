"""Packages and model.h5 on disk."""

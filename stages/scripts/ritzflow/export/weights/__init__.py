"""Weights of the user's module: files, Hugging Face folders, adapters."""

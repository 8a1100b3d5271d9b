"""Errors and flags of a program, files that are complete or absent, digests, provenance."""

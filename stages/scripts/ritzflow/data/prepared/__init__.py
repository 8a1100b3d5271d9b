"""Samples as data.h5 has them: split, targets, scaling, checks."""

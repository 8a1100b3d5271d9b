"""Curvature products of any PyTorch module: traced once, split, and stored for the C++ stages."""

"""Inputs and output gradients of layers, for K-FAC."""

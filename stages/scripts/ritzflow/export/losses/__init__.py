"""Losses and objectives of the user's own."""

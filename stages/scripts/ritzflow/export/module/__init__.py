"""The user's module as a function of its parameters, and its samples."""

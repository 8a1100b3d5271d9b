"""What the Python programs of stages/scripts share, in rooms (docs/architecture.md)."""

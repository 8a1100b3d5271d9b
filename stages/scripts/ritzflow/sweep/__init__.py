"""The configuration of a sweep, its cells and artifacts, and which of them must be made again."""

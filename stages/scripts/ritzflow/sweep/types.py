"""What is passed around: the configuration of a sweep, and a cell."""

from typing import Any

Config = dict[str, Any]  # as sweep_config.resolve gives it
Cell = dict[str, Any]  # values of axes by name: of all (cells.AXES), or of those that a stage knows

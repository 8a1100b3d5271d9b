#!/usr/bin/env python3
"""Check a sweep file against configs/schema.json and fill its defaults.

sweep_config.py configs/demo.yaml        # prints the complete configuration as JSON, and on stderr its size
"""

import json
import sys

from ritzflow.common.script_cli import Parser, run
from ritzflow.sweep import presets, size, sweep_config


def main() -> None:
    parser = Parser("sweep_config", 1, "Check a sweep file and print it with all defaults as JSON.")
    parser.add_argument("file", help="sweep file, YAML")
    config = sweep_config.load(parser.parse_args().file)
    print(size.line(config), *presets.lines(config), sep="\n", file=sys.stderr)
    print(json.dumps(config, indent=2))


if __name__ == "__main__":
    run(main)

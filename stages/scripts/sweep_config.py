#!/usr/bin/env python3
"""Check a sweep file against configs/schema.json and fill its defaults.

sweep_config.py configs/demo.yaml        # prints the complete configuration as JSON
"""

import json

from ritzflow.common.script_cli import Parser, run
from ritzflow.sweep import sweep_config


def main() -> None:
    parser = Parser("sweep_config", 1, "Check a sweep file and print it with all defaults as JSON.")
    parser.add_argument("file", help="sweep file, YAML")
    print(json.dumps(sweep_config.load(parser.parse_args().file), indent=2))


if __name__ == "__main__":
    run(main)

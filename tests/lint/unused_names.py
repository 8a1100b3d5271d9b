"""Names that a C++ file takes from another namespace and does not use.

clang-tidy (misc-unused-using-decls, misc-unused-alias-decls) looks for them in its main file alone, which
tidy.py makes of many.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TAKEN = re.compile(r"^\s*(?:namespace (\w+) = |using (?:\w+::)+(\w+);)", re.MULTILINE)


def unused(text: str) -> list[str]:
    """Names that `text` takes and does not mention again."""
    names = [alias or name for alias, name in TAKEN.findall(text)]
    rest = re.sub(TAKEN, "", text)
    return [name for name in names if not re.search(rf"\b{name}\b", rest)]


def main() -> int:
    """Exit status 1 if a source has such a name; those of headers are for other files."""
    files = subprocess.check_output(["git", "ls-files", "*.cpp"], cwd=ROOT, text=True).splitlines()
    found = [f"{file}: {name} is not used" for file in files for name in unused((ROOT / file).read_text())]
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

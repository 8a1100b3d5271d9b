"""Finds unidiomatic phrases in text that ships, and names what a native speaker would write."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = (
    "README.md",
    "CHANGELOG.md",
    "Snakefile",
    "Makefile",
    "docs",
    "configs",
    "profiles",
    "stages",
    "engine",
)
PLAIN = {
    r"\bbehind\b(?! step)": "after, beyond, downstream of",
    r"\bgoes on (?:from|behind|with)\b": "resumes, continues",
    r"\b(?:started?|starts|made|computed|decided|written|traced) anew\b": "again, over",
    r"\band says so\b": "and logs it",
    r"\bto the (?:same )?bits?\b": "bitwise, bit-identical",
    r"(?<!here.)\bis no (?!longer|less|more\b|such)[a-z]+": "is not a",
    r"\bbut for\b(?! the)": "except, up to",
    r"\b(?:row|line|file|column|chunk|pass) a (?:row|cell|file|sample|draw|class|model|stage)\b": "per",
    r", too[.,;:)]": "also, as well",
    r"\blest\b": "to avoid",
    r"\bwithout a word\b": "silently",
    r"\bunder way to\b": "being, emerging",
    r"\btold apart\b": "distinguished",
    r"\bin hand\b": "current",
    r"\bof the day\b": "at the time",
}


def found(text: str) -> list[tuple[int, str, str]]:
    """Line, phrase and advice of each phrase of PLAIN in `text`, which may be broken between lines."""
    hits = []
    for pattern, advice in PLAIN.items():
        spaced = pattern.replace(" ", r"[\s#/*>|-]+")
        for match in re.finditer(spaced, text):
            hits.append((text.count("\n", 0, match.start()) + 1, " ".join(match.group().split()), advice))
    return sorted(hits)


def main() -> int:
    """Exit status 1 if a phrase was found."""
    files = subprocess.check_output(["git", "ls-files", *SHIPPED], cwd=ROOT, text=True).splitlines()
    failed = 0
    for file in files:
        if not file.endswith((".png", ".svg")):
            for line, phrase, advice in found((ROOT / file).read_text()):
                print(f"{file}:{line}: '{phrase}': write {advice}", file=sys.stderr)
                failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main())

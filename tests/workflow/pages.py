"""The fenced blocks of a page of documents, as one script for a fresh shell."""

import ast
import re
from dataclasses import dataclass

import yaml
from scripts_under_test import ROOT

LANGUAGES = ("bash", "python", "yaml", "json", "text")
# Blocks that do not run here, by the word after their language: why, and what runs instead.
MARKED = {
    "minutes": "builds or trains for minutes: `make demo` runs here without its build and on one network",
    "gpu": "a GPU: runs here with --device cpu",
    "models-env": "transformers, a download: tests/huggingface runs its like (make test-models)",
    "cluster": "Slurm: tests/workflow/test_cluster.py, test_slurm.py",
    "fragment": "a part of a file of yours, of which the rest is not shown: has the syntax of Python",
}
# The worked examples have a folder each: tests/products and tests/huggingface run them.
ELSEWHERE = re.compile(r"^## Five worked examples$.*?^(?=## )", re.MULTILINE | re.DOTALL)
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# make must not build; `bash -e` ends at the first command that fails, and says which.
PRELUDE = """set -o pipefail
make() { command make -o stages "$@"; }
trap 'echo "failed: $BASH_COMMAND" >&2' ERR
"""


@dataclass
class Block:
    """A fenced block: its language, the word after it, its text."""

    language: str
    marker: str
    text: str

    @property
    def file(self) -> str:
        """The file that the block is, where its first line is a comment with a name."""
        name = re.match(r"# ([\w./-]+\.(?:py|yaml))\b", self.text)
        return name[1] if name else ""


def blocks(page: str) -> list[Block]:
    text = ELSEWHERE.sub("", (ROOT / page).read_text())
    return [Block(*[*head.split(), "", ""][:2], body) for head, body in FENCE.findall(text)]


def script(found: list[Block]) -> str:
    return PRELUDE + "\n".join(filter(None, map(command, found)))


def command(block: Block) -> str:
    """What the shell does for a block."""
    if block.marker == "gpu":
        return block.text.replace("--device cuda", "--device cpu")
    if block.marker:
        return ""
    if block.language == "bash":
        return block.text
    if block.language == "python":
        return fed(f"cat >> {block.file}" if block.file else "python -", block.text)
    if block.language == "yaml" and block.file:
        return fed(f"cat > {block.file}", yaml.safe_dump(smaller(yaml.safe_load(block.text))))
    return ""


def fed(program: str, text: str) -> str:
    return f"{program} << 'END OF BLOCK'\n{text}\nEND OF BLOCK\n"


def smaller(sweep: dict) -> dict:
    """A sweep of one cell; test_examples.py runs the whole (make test-models)."""
    (name, model), *_ = sweep["models"].items()
    model = {**model, "steps": ["final"]}
    few = {"models": {name: model}, "seeds": [0], "reorth_modes": ["full"]}
    return {**sweep, **few, "operators": dict([*sweep["operators"].items()][:1])}


def wrong(block: Block) -> str:
    """What a block lacks to be run, or to be left out for a reason."""
    if block.language not in LANGUAGES:
        return f"no language, one of {', '.join(LANGUAGES)}: {block.text}"
    if block.marker not in ("", *MARKED):
        return f"'{block.marker}' is not one of {', '.join(MARKED)}: {block.text}"
    if block.language == "python":
        ast.parse(block.text)
    return ""

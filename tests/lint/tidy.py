"""Runs clang-tidy over every C++ file of the engine and the stages that does not include LibTorch.

LibTorch's headers cost clang-tidy about 40 s and hold nothing of ours; files that include them are checked by
the compiler's warnings (errors in CI) alone. Headers take most of the time of the others, too: files with the
same compile flags are checked together, as one source that includes them, and where they cannot be compiled
together (two things of one name), they are parted until they can. A file that passed is not checked again
until it, a header or the settings change.
"""

import hashlib
import json
import os
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
TOGETHER = 12  # files at most, so that each core has work
TORCH_ROOMS = ("engine/model/", "engine/problem/", "engine/curvature/")
TENSOR_STAGES = (
    "train-model",
    "build-operator",
    "lanczos",
    "ritz-residuals",
    "spectrum",
    "collect-kfac",
    "compare-kfac",
)


def loads_torch(file: Path) -> bool:
    """Whether a header of LibTorch is among those of `file`."""
    return str(file).startswith(TORCH_ROOMS) or (file.parts[0] == "stages" and file.stem in TENSOR_STAGES)


def flags_by_file() -> dict[Path, tuple[str, ...]]:
    """Compile flags of the files to check, as the compilation database has them."""
    found = {}
    for entry in json.loads((BUILD / "compile_commands.json").read_text()):
        file = Path(entry["file"]).resolve().relative_to(ROOT)
        if file.parts[0] in ("engine", "stages") and not loads_torch(file):
            found[file] = preprocessor_flags(shlex.split(entry["command"]))
    return found


def preprocessor_flags(words: list[str]) -> tuple[str, ...]:
    """Flags that decide what the source says: no warnings, outputs or precompiled headers of the compiler."""
    flags = []
    for word, following in zip(words, [*words[1:], ""]):
        if word == "-isystem":
            flags += [word, following]
        elif word.startswith(("-I", "-D", "-std=", "-march=")):
            flags.append(word)
    return tuple(flags)


def digest(file: Path, headers: bytes) -> str:
    """Digest of everything that the verdict on `file` depends on."""
    return hashlib.sha256(headers + (ROOT / file).read_bytes()).hexdigest()


def joined(files: list[Path]) -> Path:
    """A source that includes `files`."""
    text = "".join(f'#include "{ROOT / file}"  // NOLINT(bugprone-suspicious-include)\n' for file in files)
    source = BUILD / "clang-tidy" / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.cpp"
    source.parent.mkdir(exist_ok=True)
    source.write_text(text)
    return source


def compile_together(files: list[Path], flags: tuple[str, ...]) -> bool:
    """Whether the source that includes `files` is valid C++."""
    command = ["clang++-19", "-fsyntax-only", "-w", *flags, joined(files)]
    return subprocess.run(command, capture_output=True).returncode == 0


def check(files: list[Path], flags: tuple[str, ...]) -> list[tuple[list[Path], str]]:
    """Files that were checked together, and what clang-tidy found: nothing where they are clean."""
    if len(files) > 1 and not compile_together(files, flags):
        half = len(files) // 2
        return check(files[:half], flags) + check(files[half:], flags)
    source = ROOT / files[0] if len(files) == 1 else joined(files)
    run = subprocess.run(
        ["clang-tidy-19", "--quiet", source, "--", "-w", *flags], capture_output=True, text=True
    )
    return [(files, (run.stdout or run.stderr) if run.returncode else "")]


def groups(files: list[Path], flags: dict[Path, tuple[str, ...]]) -> list[list[Path]]:
    """Files with the same flags, in pieces of one size."""
    found = []
    for _, same in groupby(sorted(files, key=lambda file: (flags[file], file)), key=flags.get):
        same = list(same)
        pieces = -(-len(same) // TOGETHER)
        found += [same[i * len(same) // pieces : (i + 1) * len(same) // pieces] for i in range(pieces)]
    return found


def main() -> int:
    """Checks what changed since the last clean run; exit status 1 if anything is found."""
    headers = (
        b"".join(
            path.read_bytes() for path in sorted([*ROOT.glob("engine/**/*.h"), *ROOT.glob("stages/*.h")])
        )
        + (ROOT / ".clang-tidy").read_bytes()
    )
    store = BUILD / "clang-tidy-clean.json"
    clean = json.loads(store.read_text()) if store.exists() else {}
    flags = flags_by_file()
    todo = [file for file in flags if clean.get(str(file)) != digest(file, headers)]
    failed = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for verdicts in pool.map(lambda files: check(files, flags[files[0]]), groups(todo, flags)):
            for files, output in verdicts:
                if output:
                    failed += 1
                    print(output, file=sys.stderr)
                else:
                    clean.update({str(file): digest(file, headers) for file in files})
    store.write_text(json.dumps(clean, indent=1))
    print(f"clang-tidy: {len(todo)} files checked, {failed} sets of them with findings")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

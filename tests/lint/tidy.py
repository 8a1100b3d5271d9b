"""Runs clang-tidy over every C++ file of the engine and the stages that does not include LibTorch.

LibTorch's headers cost clang-tidy about 40 s a file and hold nothing of ours; those files are checked by the
compiler's warnings (errors in CI) alone. A file that passed is not checked again until it, a header or the
settings change.
"""

import hashlib
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
TORCH_ROOMS = ("engine/model/", "engine/curvature/")
TENSOR_STAGES = (
    "train-model",
    "build-operator",
    "lanczos",
    "ritz-residuals",
    "spectrum",
    "collect-kfac",
    "compare-kfac",
)


def files_to_check() -> list[Path]:
    """C++ sources of the compilation database that load no LibTorch header."""
    commands = json.loads((BUILD / "compile_commands.json").read_text())
    files = sorted({Path(entry["file"]).resolve().relative_to(ROOT) for entry in commands})
    return [
        file
        for file in files
        if file.parts[0] in ("engine", "stages")
        and not str(file).startswith(TORCH_ROOMS)
        and file.stem not in TENSOR_STAGES
    ]


def digest(file: Path, headers: bytes) -> str:
    """Digest of everything that the verdict on `file` depends on."""
    return hashlib.sha256(headers + (ROOT / file).read_bytes()).hexdigest()


def check(file: Path) -> tuple[Path, str]:
    """Output of clang-tidy on `file`; empty when it is clean."""
    run = subprocess.run(
        [
            "clang-tidy-19",
            "-p",
            str(BUILD),
            "--quiet",
            "--extra-arg=-Wno-unknown-warning-option",
            "--extra-arg=-Wno-deprecated-declarations",
            str(ROOT / file),
        ],
        capture_output=True,
        text=True,
    )
    return file, run.stdout if run.returncode else ""


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
    todo = [file for file in files_to_check() if clean.get(str(file)) != digest(file, headers)]
    failed = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for file, output in pool.map(check, todo):
            if output:
                failed += 1
                print(output, file=sys.stderr)
            else:
                clean[str(file)] = digest(file, headers)
    store.write_text(json.dumps(clean, indent=1))
    print(f"clang-tidy: {len(todo)} files checked, {failed} with findings")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

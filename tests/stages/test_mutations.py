"""Damaged artifacts through the real binaries: refused clearly, or the result is unharmed.

Ten thousand more go through the readers in process (tests/engine/artifact/mutation_test.cpp).
"""

import random
import resource
from pathlib import Path

import pytest
from stage_runs import error_line, make, run, sha256

MISUSE = 2
GIB = 2**20  # in KiB; the files have some ten kilobytes


def mutated(data, generator):
    """One of: a flipped bit, a cut, zeros, a piece copied over another, a piece left out."""
    data, at = bytearray(data), generator.randrange(len(data))
    length = generator.randint(1, 64)
    kind = generator.choice(("flip", "cut", "zeros", "copy", "erase"))
    if kind == "flip":
        data[at] ^= 1 << generator.randrange(8)
    elif kind == "cut":
        del data[at:]
    elif kind == "zeros":
        data[at : at + length] = bytes(len(data[at : at + length]))
    elif kind == "copy":
        source = generator.randrange(len(data) - length)
        data[at : at + length] = data[source : source + length][: len(data) - at]
    else:
        del data[at : at + length]
    return bytes(data)


def without_digest(data):
    """As a user's script writes files: nothing stands before libhdf5 but a child process that reads first."""
    return bytes(512) + data[512:]


def variants(path, count):
    """Texts of damaged files, every other one without the digest of its bytes."""
    data, generator = path.read_bytes(), random.Random(path.name)
    for i in range(count):
        yield mutated(data if i % 2 else without_digest(data), generator)


def vouches_for_nothing(file):
    """Both digests are gone: what is left is a user's own file."""
    return f"{file}: no content_sha256" in run("validate", file).stderr


def peak():
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss


@pytest.fixture(autouse=True)
def no_more_memory_than_the_files_justify():
    before = peak()
    yield
    assert peak() <= max(before, GIB)


@pytest.mark.parametrize("name", ("model", "operator", "lanczos", "ritz"))
def test_validate_finds_the_damage_or_the_contents_are_whole(name, good, tmp_path):
    digest = sha256(getattr(good, name))
    for i, data in enumerate(variants(getattr(good, name), 60)):
        (tmp_path / f"{i:03}.h5").write_bytes(data)
    files = sorted(tmp_path.iterdir())
    done = run("validate", *files)
    assert done.returncode == MISUSE, done.stderr
    for file in files:
        lines = [line for line in done.stdout.splitlines() if line.startswith(f"{file}: ")]
        assert lines
        assert (str(file) in error_line(done)) == (": ok (" not in lines[0])
        if ": ok (" in lines[0]:
            assert digest in lines[0] or vouches_for_nothing(file)


def outcomes(call, bad, good_text, read, count):
    """How many runs of `call` refuse a damaged `bad`; the others must say what they say of a good one."""
    refused, out = 0, bad.parent / "out" / "out"
    out.parent.mkdir()
    for data in variants(bad, count):
        bad.write_bytes(data)
        done = run(*call, "--out", out)
        assert done.returncode in (0, MISUSE), done.stderr
        if done.returncode == 0:
            assert read(out) == good_text or vouches_for_nothing(bad)
            out.unlink()
        else:
            assert str(bad) in error_line(done)
            assert list(out.parent.iterdir()) == []
            refused += 1
    return refused


def test_metrics_of_a_damaged_file_are_refused_or_the_same(good, tmp_path):
    ritz = tmp_path / "ritz.h5"
    ritz.write_bytes(good.ritz.read_bytes())
    call = ("metrics", "--ritz", ritz)
    text = make(tmp_path / "good.json", *call).read_text()
    assert outcomes(call, ritz, text, Path.read_text, 60) > 30


def test_ritz_pairs_of_a_damaged_file_are_refused_or_the_same(good, tmp_path):
    lanczos = tmp_path / "lanczos.h5"
    lanczos.write_bytes(good.lanczos.read_bytes())
    call = ("ritz-residuals", "--operator", good.operator, "--lanczos", lanczos, "--threads", 1)
    digest = sha256(make(tmp_path / "good.h5", *call))
    assert outcomes(call, lanczos, digest, sha256, 30) > 15

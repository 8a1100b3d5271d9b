"""Which artifacts of a sweep must be made again, and why.

Dates, folders and Snakemake's records decide nothing. An artifact stands when its program has the algorithm
version of today, its settings are those of the sweep file, the user's files that were read have the same
contents, and the artifacts that it is made from stand and have the digests that it names.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ritzflow.common import made_with
from ritzflow.sweep import artifacts, recorded, remembered, stage_versions
from ritzflow.sweep.artifacts import Artifact
from ritzflow.sweep.recorded import Record
from ritzflow.sweep.types import Config

MISSING = "missing"


@dataclass
class Comparison:
    """reasons: of each artifact that does not stand; consequences: the artifact that is the reason."""

    records: dict[str, Record] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    consequences: dict[str, str] = field(default_factory=dict)
    kept: dict[str, set[int]] = field(default_factory=dict)  # steps of a model.h5 that stand all the same


def compare(
    results: Path,
    config: Config,
    algorithms: dict[str, int],
    digest: Callable[[str], str | None],
    may_be_gone: bool = False,
    read: Callable[[Path], Record] = recorded.read,
) -> Comparison:
    """Every artifact of the sweep against `config`.

    algorithms: today's version by program, of those that are known.
    digest: SHA-256 of a user's file by its path, None where it is gone.
    may_be_gone: a missing user's file is not a reason: results are read where their data are not.
    read: recorded.read, or one that remembers.
    """
    found = Comparison()
    for path, artifact in artifacts.of_sweep(config).items():
        try:
            record = found.records[path] = read(results / path)
        except FileNotFoundError:
            found.reasons[path] = MISSING
            continue
        except recorded.Unreadable as error:
            found.reasons[path] = str(error)
            continue
        own = next(own_reasons(artifact, record, algorithms), None)
        own = own or next(changed_files(record, digest, may_be_gone), None)
        cause = next(not_standing(artifact, found), None)
        own = own or (None if cause else next(other_digests(artifact, record, found), None))
        if own and not cause:
            changed = any(changed_files(record, digest, may_be_gone))
            found.kept[path] = set() if changed else kept_steps(artifact, record, algorithms)
        if own:
            found.reasons[path] = own
        elif cause:
            found.reasons[path] = f"its {Path(cause).name} {fate(found.reasons[cause])}"
            found.consequences[path] = cause
    return found


def own_reasons(artifact: Artifact, record: Record, algorithms: dict[str, Any]) -> Iterator[str]:
    """What differs in the artifact's own making."""
    if record.stage != artifact.stage:
        yield f"was made by {record.stage or 'an unknown program'}, not {artifact.stage}"
    today = algorithms.get(artifact.stage)
    if record.algorithm is None or (today is not None and record.algorithm != today):
        was = f"algorithm of {artifact.stage} was {record.algorithm or 'an older one'}"
        yield was if today is None else f"{was}, is {today}"
    if differences := differing(artifact.settings, record.settings):
        yield "; ".join(differences)


def changed_files(record: Record, digest: Callable[..., Any], may_be_gone: bool) -> Iterator[str]:
    """The user's files that are no longer what they were."""
    for path, before in record.files.items():
        now = digest(path)
        if now is None and not may_be_gone:
            yield f"{path} is gone"
        if now is not None and now != before:
            yield f"{path} has other contents"


def differing(wanted: dict[str, Any], was: dict[str, Any]) -> list[str]:
    return [
        f"{name} was {shown(was[name])}" if name in was else f"{name} was not set"
        for name in sorted(wanted.keys() | was.keys())
        if not recorded.same(wanted.get(name), was.get(name))
    ]


def shown(value: Any) -> str:
    return " ".join(map(shown, value)) if isinstance(value, list) else str(value)


def kept_steps(artifact: Artifact, record: Record, algorithms: dict[str, Any]) -> set[int]:
    """Steps of a model whose weights making it again would give: all, where nothing else differs."""
    as_it_is = replace(artifact, settings={**artifact.settings, "steps": record.settings.get("steps")})
    is_model = artifact.stage in ("train-model", "export_products")
    stands = is_model and not any(own_reasons(as_it_is, record, algorithms))
    return set(record.points) if stands else set()


def not_standing(artifact: Artifact, found: Comparison) -> Iterator[str]:
    """The artifacts that it is made from and that do not stand."""
    for path in (path for paths in artifact.inputs.values() for path in paths):
        if path in found.reasons and artifact.step not in found.kept.get(path, ()):
            yield path


def fate(reason: str) -> str:
    return "is missing" if reason == MISSING else "is made again"


def other_digests(artifact: Artifact, record: Record, found: Comparison) -> Iterator[str]:
    """Inputs that stand, but are not the ones that it was made from."""
    for role, paths in artifact.inputs.items():
        if role == "training":
            continue  # the weights themselves are among the model's files
        if role == "lanczos" and artifact.stage == "density" and role not in record.inputs:
            continue  # in closed form: of the operator alone
        digests = [content(found.records[path], artifact.step) for path in paths]
        if sorted(digests) != sorted(record.inputs.get(role, [])):
            yield f"was made from another {role}"


def content(record: Record, step: int | None) -> str:
    """The digest that an artifact made from this one names: of a model that of its step, where it has one."""
    if record.points and step is not None:
        return record.points.get(step) or record.content
    return record.content


class UserFiles:
    """Digests of the user's files, remembered by size, dates and inode; paths are seen from `base`."""

    def __init__(self, known: dict[str, Any], base: Path = Path()) -> None:
        self.known, self.base = known, base

    def __call__(self, path: str) -> str | None:
        file = self.base / path
        try:
            if file.is_dir():  # a name more far below leaves its date alone
                return made_with.sha256(file)
            now = recorded.stamp(file)
            if path not in self.known or self.known[path][0] != now:
                self.known[path] = [now, made_with.sha256(file)]
        except OSError:
            return None
        return self.known[path][1]


def standing(results: Path, config: Config) -> Comparison:
    """The comparison that readers of a sweep make, wherever they are called from."""
    known = remembered.load()
    files = UserFiles(known["files"], base=results.resolve().parent.parent)  # the folder of the run
    read = recorded.Memory(known["records"]).read
    return compare(results, config, stage_versions.of_built(config), files, may_be_gone=True, read=read)

"""What a run of Snakemake must make again, and the lines that say why."""

import atexit
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from ritzflow.sweep import (
    cells,
    freeze,
    model_steps,
    places,
    presets,
    recorded,
    remembered,
    results_lock,
    size,
    stage_versions,
    stale,
    summaries,
)
from ritzflow.sweep.types import Config

SHOWN = 5  # artifacts named for each reason


class Plan:
    """Nothing is made again by default: a job of a run takes its part without asking."""

    def __init__(self) -> None:
        self.stale: set[str] = set()
        self.said: set[str] = set()

    def find(self, results: Path, config: Config) -> None:
        """Compares the results with the configuration and says what differs."""
        if who := results_lock.holder(results):
            print(f"{results}: another run is at work there: {who}", file=sys.stderr)
        known = remembered.load()
        files, records = stale.UserFiles(known["files"]), recorded.Memory(known["records"])
        algorithms = stage_versions.versions(stage_versions.programs(config), stage_versions.CACHE)

        def compare() -> stale.Comparison:
            return stale.compare(results, config, algorithms, files, read=records.read)

        found = compare()
        if settle(config, found):
            found = compare()
        remembered.save(known)
        if results.is_dir() and os.statvfs(results).f_flag & os.ST_RDONLY:
            print(f"{results}: is on a read-only file system: nothing can be made there", file=sys.stderr)
        said = [size.line(config), *presets.lines(config), *lines(results, found)]
        self.stale = set(found.reasons) | summaries.stale(results, config, found) | {"ro_crate"}
        kept = results / "sweep.json"
        if not kept.is_file() or kept.read_text() != freeze.text_of(config):
            self.stale.add("sweep.json")
        date_back(results, [*found.records, *summaries.FILES])
        for line in said:
            if line not in self.said:
                print(line, file=sys.stderr)
        self.said |= set(said)

    def again(self, output: str) -> bool:
        return output in self.stale

    def marker(self, output: str) -> list[str]:
        """A file that is newer than every artifact, where `output` must be made again."""
        if not self.again(output):
            return []
        path = freeze.FOLDER / f"again.{os.getpid()}"
        if not path.exists():
            path.write_text(str(time.time_ns()))  # Snakemake takes a file of equal contents for the same one
            atexit.register(path.absolute().unlink, missing_ok=True)
        return [str(path)]


def settle(config: Config, found: stale.Comparison) -> bool:
    """Reads the steps of models whose trainings all stand from their weights; whether there was such a model.

    Raises ConfigError where seeds have different ones.
    """
    settled = False
    for name, model in config["models"].items():
        seeds = cells.seeds_of(config, name)
        trainings = {places.TRAINING.format(model=name, seed=seed) for seed in seeds}
        if not model_steps.has_known_steps(model) and not trainings & found.reasons.keys():
            model["steps"] = model_steps.of_files(model, seeds, f"models.{name}.steps")
            settled = True
    return settled


def lines(results: Path, found: stale.Comparison) -> list[str]:
    """A line for each artifact that does not stand by itself, and one for how many follow from these."""
    by_reason = defaultdict(list)
    needed = set(found.consequences.values())
    for path, reason in found.reasons.items():
        if path not in found.consequences and (reason != stale.MISSING or path in needed):
            by_reason[reason].append(path)
    said = []
    for reason, paths in by_reason.items():
        said += [f"made again: {results}/{path}: {reason}" for path in paths[:SHOWN]]
        if len(paths) > SHOWN:
            said.append(f"made again: {len(paths) - SHOWN} more for the same reason: {reason}")
    if said and found.consequences:
        said.append(f"made again: {len(found.consequences)} more that are made from these")
    return said


def date_back(results: Path, paths: Iterable[str]) -> None:
    """Gives files with a date to come today's: nothing could be newer than they are."""
    now = time.time()
    for path in paths:
        try:
            if (results / path).stat().st_mtime > now:
                os.utime(results / path)
        except OSError:
            continue

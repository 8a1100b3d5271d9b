"""How the jobs of a run ended: which of them are tried again, and what they said.

Statuses 2 (bad input) and 3 (a refusal) are final, 1 is tried once more, 75 (a checkpoint was written) is
continued as often as it takes; a job that was killed is tried again as often as Snakemake's `retries` has it.
Snakemake does not learn that of a job on a cluster: each program of a rule notes its own (rules/logged.sh).
"""

import atexit
import shutil
import sys
from pathlib import Path
from typing import Any

from snakemake.jobs import GroupJob, Job

from ritzflow.sweep import freeze

FOLDER = freeze.FOLDER / "exits"
FINAL = (2, 3)
CHECKPOINT = 75
SHOWN = 5  # failed jobs named at the end

allowed_restarts = Job.restart_times.fget
remove_outputs = Job.cleanup


def noted(log: str) -> list[int | None]:
    """Exit status of each start of a job in this run, known by its log; None where it was killed."""
    try:
        words = Path(f"{FOLDER}/{log}").read_text().split()
    except OSError:
        return []
    ended: list[int | None] = []
    for word in words:
        ended += [None] if word == "start" else []
        if word != "start":
            ended[-1:] = [int(word)]
    return ended


def of_job(job: Any) -> list[int | None]:
    return noted(str(job.log[0])) if job.log else []


def restarts(ended: list[int | None], allowed: int, attempt: int) -> int:
    """How often a job may be started again after its `attempt`-th attempt, all its attempts together."""
    last = ended[-1] if ended else None
    if last == CHECKPOINT:
        return attempt
    if last in FINAL or last == 0:
        return 0
    if last == 1:
        return attempt if allowed and ended.count(1) == 1 else 0
    return allowed + ended.count(CHECKPOINT)


def restarts_of_job(job: Any) -> int:
    return restarts(of_job(job), allowed_restarts(job), job.attempt)


def restarts_of_group(group: Any) -> int:
    """Jobs of a group that never began wait for others of it, which decide."""
    begun = [job for job in group.jobs if of_job(job)]
    return max(restarts_of_job(job) for job in begun or group.jobs)


async def cleanup(job: Any, skip_outputs: Any) -> None:
    """Where one job of a group fails, Snakemake would remove the outputs of all."""
    if of_job(job)[-1:] != [0]:
        await remove_outputs(job, skip_outputs)


def take_over(workflow: Any) -> None:
    """In the process that starts jobs: restarts follow exit statuses, and error lines are printed last."""
    atexit.register(lambda: explain(workflow.scheduler.failed if workflow.scheduler else ()))
    Job.restart_times = property(restarts_of_job)
    GroupJob.restart_times = property(restarts_of_group)
    Job.cleanup = cleanup


def forget(results: str) -> None:
    """What the jobs of an earlier run have noted."""
    shutil.rmtree(f"{FOLDER}/{results}", ignore_errors=True)


def factor(log: str, attempt: int) -> int:
    """How many times what its first attempt asked for; attempts that wrote a checkpoint needed no more."""
    return min(max(attempt - noted(log).count(CHECKPOINT), 1), 4)


def explain(failed: Any) -> None:
    """Prints failed jobs with their logs and error lines."""
    jobs = [job for member in failed for job in (member.jobs if member.is_group() else [member])]
    said = [text for text in map(explanation, jobs) if text]
    if len(said) > SHOWN:
        said = [f"{len(said) - SHOWN} more jobs failed", *said[-SHOWN:]]
    for text in said:
        print(text, file=sys.stderr)


def explanation(job: Any) -> str | None:
    """Of a failed job: what it was, its log, and its error line."""
    ended = of_job(job)
    if not ended or ended[-1] == 0:
        return None
    log = Path(str(job.log[0]))
    how = "was killed" if ended[-1] is None else f"ended with exit status {ended[-1]}"
    return f"{job.message or job.rule.name}: {how}; log: {log}\n{last_line(log)}"


def last_line(log: Path) -> str:
    """The last line that begins with `error: `, or the last one at all."""
    try:
        lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    except OSError:
        lines = []
    errors = [line for line in lines if line.startswith("error: ")]
    return (errors or lines or ["error: it wrote no line"])[-1]

"""What exit status makes of a failed job: tried again or not, and what the user sees last."""

import os
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
from edited_sweep import Sweep
from scripts_under_test import SCRIPTS

from ritzflow.sweep import exits

LOG = "results/x/logs/cell.log"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path(LOG).parent.mkdir(parents=True)
    return tmp_path


def logged(command, **options):
    script = f"set -euo pipefail; . {SCRIPTS.parent / 'rules' / 'logged.sh'}; logged {LOG} {command}"
    return subprocess.Popen(["bash", "-c", script], **options)


@pytest.mark.parametrize(
    ("ended", "allowed", "attempt", "again"),
    [
        ([2], 5, 1, False),
        ([3], 5, 1, False),
        ([None, 3], 5, 2, False),
        ([1], 5, 1, True),
        ([1], 0, 1, False),
        ([1, 1], 5, 2, False),
        ([75] * 9 + [1], 1, 10, True),
        ([75], 0, 1, True),
        ([75] * 99, 1, 99, True),
        ([None], 1, 1, True),
        ([None, None], 1, 2, False),
        ([75, 75, None], 1, 3, True),
        ([], 1, 1, True),
        ([], 1, 2, False),
    ],
)
def test_statuses_2_and_3_are_final_1_is_tried_once_more_and_75_continued(ended, allowed, attempt, again):
    assert (exits.restarts(ended, allowed, attempt) > attempt - 1) == again


def test_a_program_notes_its_status_and_logs_its_messages(folder):
    for command, status in (("true", 0), ("bash -c 'echo why >&2; exit 3'", 3)):
        assert logged(command).wait() == status
        assert exits.noted(LOG)[-1] == status
    assert Path(LOG).read_text() == "why\n" and exits.noted(LOG) == [0, 3]
    exits.forget("results/x")
    assert exits.noted(LOG) == []


def test_a_program_that_gets_a_signal_is_waited_for(folder):
    python = "import signal, time; signal.signal(15, lambda *_: exit(75)); print(flush=True); time.sleep(9)"
    program = f"python3 -c '{python}'"
    process = logged(program, stdout=subprocess.PIPE, start_new_session=True)
    process.stdout.readline()
    os.killpg(process.pid, 15)
    assert process.wait() == 75 and exits.noted(LOG) == [75]


def test_a_program_that_a_second_signal_ends_was_killed(folder):
    python = "import signal, time; signal.signal(15, lambda *_: exit(1)); print(flush=True); time.sleep(9)"
    process = logged(f"python3 -c '{python}'", stdout=subprocess.PIPE, start_new_session=True)
    process.stdout.readline()
    os.killpg(process.pid, 15)
    assert process.wait() == 1 and exits.noted(LOG) == [None]


def test_a_killed_job_has_a_start_alone_and_asks_for_more_next_time(folder):
    process = logged("bash -c 'echo; sleep 9'", stdout=subprocess.PIPE, start_new_session=True)
    process.stdout.readline()
    os.killpg(process.pid, 9)
    process.wait()
    assert exits.noted(LOG) == [None] and exits.factor(LOG, 2) == 2
    logged("bash -c 'exit 75'").wait()
    assert exits.noted(LOG) == [None, 75] and exits.factor(LOG, 3) == 2


def job(log, **more):
    return SimpleNamespace(log=[log], attempt=1, message="lanczos m", is_group=lambda: False, **more)


def test_a_group_is_tried_again_where_one_of_its_jobs_is(folder, monkeypatch):
    monkeypatch.setattr(exits, "allowed_restarts", lambda job: 5)
    notes = exits.FOLDER / "l"
    notes.mkdir(parents=True)

    def group(*words):
        for number, text in enumerate(words):
            (notes / str(number)).write_text(text) if text else None
        return exits.restarts_of_group(SimpleNamespace(jobs=[job(f"l/{n}") for n in range(len(words))]))

    assert group("start 0", "start 2", "") == 0
    assert group("start 0", "start 75", "start 2", "") == 1
    assert group("start 0", "start", "start 2", "") == 5


def test_the_last_lines_are_the_failed_jobs_and_their_errors(folder):
    Path(LOG).write_text("lanczos 0.1.0\nerror: the file is torn\n")
    logged("bash -c 'echo \"error: the file is torn\" >&2; exit 2'").wait()
    assert (
        exits.explanation(job(LOG))
        == f"lanczos m: ended with exit status 2; log: {LOG}\nerror: the file is torn"
    )
    assert exits.explanation(job("never")) is None


def test_a_refused_cell_is_not_tried_again_whatever_the_profile_says_and_its_error_is_last(tmp_path):
    sweep = Sweep(
        tmp_path, operators={"hessian": {}}, reorth_modes=["full"], lanczos={"k": 100, "max_iters": 200}
    )
    words = [word if word != "0" else "4" for word in sweep.command()]
    done = subprocess.run(words, cwd=sweep.folder, capture_output=True, text=True)
    last = done.stderr.rstrip().splitlines()
    log = "results/edits/logs/m/seed0/step4/hessian/full/probe0/lanczos.log"
    assert done.returncode == 1 and last[-1].startswith("error: ") and "--k 100 is above" in last[-1], (
        done.stderr[-2000:]
    )
    assert last[-2].endswith(f"ended with exit status 2; log: {log}")
    assert exits_of(sweep, log) == "start\n2\n"


def exits_of(sweep, log):
    return (sweep.folder / exits.FOLDER / log).read_text()

"""Numbers of flags: what is not finite, beyond 64 bits or outside its range is refused with the range."""

import pytest
from stage_runs import error_line, run

FLOATS = {
    "lanczos": ("--tol", "--certificate-delta", "--checkpoint-interval"),
    "build-operator": ("--damping", "--power", "--fisher-clip", "--checkpoint-interval"),
    "density": ("--bandwidth", "--deviations", "--delta"),
    "metrics": ("--regularization",),
    "audit": ("--rtol",),
}
SEEDED = ("train-model", "collect-kfac", "build-operator", "lanczos", "compare-kfac")
RANGES = [
    ("lanczos", "--threads", "0", "is 0, expected at least 1"),
    ("lanczos", "--threads", "99999999999", "is 99999999999, expected an integer from 1 to 2147483647"),
    ("lanczos", "--threads", "two", "is two, expected an integer"),
    ("lanczos", "--certificate-delta", "1", "is 1, expected a number above 0 and below 1"),
    ("lanczos", "--certificate-delta", "0", "is 0, expected a number above 0 and below 1"),
    ("lanczos", "--certificate-budget", "-1", "is -1, expected at least 0"),
    ("lanczos", "--k", "99999999999999999999", "is 99999999999999999999, expected an integer from"),
    ("lanczos", "--max-iters", "2.5", "is 2.5, expected an integer"),
    ("density", "--delta", "-0.5", "is -0.5, expected a number above 0 and below 1"),
    ("density", "--deviations", "0", "is 0, expected a finite number above 0"),
    ("density", "--grid-points", "1", "is 1, expected at least 2"),
    ("density", "--grid-points", "1048577", "is 1048577, expected an integer from 2 to 1048576"),
    ("metrics", "--regularization", "-1", "is -1, expected a finite number, at least 0"),
    ("compare-kfac", "--probes", "1", "is 1, expected at least 2"),
]


def refused(stage, flag, value, *words):
    # Numbers are judged before any file is looked for.
    done = run(stage, f"{flag}={value}", *(("A", "B") if stage == "audit" else ()))
    line = error_line(done)
    assert done.returncode == 2 and flag in line, line
    for word in words:
        assert word in line


@pytest.mark.parametrize("value", ("nan", "inf", "-inf", "NAN", "1e999"))
@pytest.mark.parametrize("stage", FLOATS)
def test_a_number_that_is_not_finite_is_refused_by_every_flag(stage, value):
    for flag in FLOATS[stage]:
        refused(stage, flag, value, f"is {value}, expected", "number")


@pytest.mark.parametrize("stage", SEEDED)
def test_a_seed_outside_its_range_is_refused_with_the_range(stage):
    refused(stage, "--seed", "-1", "is -1, expected at least 0")
    for value in ("18446744073709551615", "9223372036854775808"):
        refused(stage, "--seed", value, f"is {value}, expected an integer from 0 to 9223372036854775807")


@pytest.mark.parametrize("stage, flag, value, text", RANGES)
def test_a_number_outside_its_range_is_refused_with_the_range(stage, flag, value, text):
    refused(stage, flag, value, text)

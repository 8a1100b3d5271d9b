"""Files of weights found by {seed} and {step} in their path; no other brace means anything."""

import pytest

from ritzflow.common import weights_files
from ritzflow.common.script_cli import InputError


@pytest.mark.parametrize(
    ("pattern", "names", "steps"),
    [
        ("step{step}.pt", ["step0.pt", "step100.pt", "step20.pt", "stepx.pt", "step5.pt.old"], [0, 20, 100]),
        ("step{step}.pt", ["step00000100.pt"], [100]),
        (
            "checkpoint-{step}/model.safetensors",
            ["checkpoint-500/model.safetensors", "checkpoint-600/x"],
            [500],
        ),
        ("checkpoint-{step}", ["checkpoint-500/model.safetensors"], [500]),
        ("epoch=*-step={step}.ckpt", ["epoch=3-step=400.ckpt", "epoch=1-step=200.ckpt"], [200, 400]),
        ("{step}/w{step}.pt", ["3/w3.pt", "3/w4.pt"], [3]),
        ("a[1]{b}/{step}.pt", ["a[1]{b}/7.pt", "a1{b}/8.pt"], [7]),
    ],
)
def test_steps_are_the_numbers_in_file_names(tmp_path, pattern, names, steps):
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = weights_files.found(str(tmp_path / pattern))
    assert list(found) == steps and all(path.exists() for path in found.values())


def test_two_files_of_one_step_are_refused(tmp_path):
    for name in ("1.pt", "01.pt"):
        (tmp_path / name).touch()
    with pytest.raises(InputError, match=r"step 1 is both .*01.pt and .*1.pt"):
        weights_files.found(str(tmp_path / "{step}.pt"))


def test_a_step_that_is_not_there_is_named_with_those_that_are(tmp_path):
    for step in (0, 100):
        (tmp_path / f"{step}.pt").touch()
    pattern = str(tmp_path / "{step}.pt")
    assert list(weights_files.chosen(pattern, ["final", 0])) == [0, 100]
    with pytest.raises(InputError, match=r"no file of step 50; there are those of 0, 100$"):
        weights_files.chosen(pattern, [50])


def test_only_the_seed_is_put_into_a_text():
    text = "python x.py {seed} {'a': {}} ${HOME} {step}"
    assert weights_files.of_seed(text, 3) == "python x.py 3 {'a': {}} ${HOME} {step}"

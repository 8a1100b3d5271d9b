"""When a training command is run, what counts as changed, and whose weights are never touched."""

import json
import sys
from pathlib import Path

import pytest
import train_weights

from ritzflow.common.script_cli import InputError
from ritzflow.sweep import training_sources

TRAIN = """
import sys
from pathlib import Path
from helper import VALUE

out = Path(sys.argv[1])
out.mkdir(exist_ok=True)
for step in (0, 10):
    (out / f"{step}.pt").write_text(f"{step} {VALUE} {sys.argv[2:]}")
print("trained")
"""
COMMAND = f"{sys.executable} train.py runs"


class Training:
    def __init__(self, monkeypatch, capsys):
        self.monkeypatch, self.capsys = monkeypatch, capsys

    def run(self, command=COMMAND, *steps):
        """training.json, and what was said."""
        words = ["--command", command, "--weights", "runs/{step}.pt", "--out", "training.json"]
        words += ["--steps", *steps] if steps else []
        self.monkeypatch.setattr(sys, "argv", ["train_weights.py", *words])
        train_weights.main()
        return json.loads(Path("training.json").read_text()), self.capsys.readouterr().err

    def refused(self, command=COMMAND, *steps):
        with pytest.raises(InputError) as caught:
            self.run(command, *steps)
        return str(caught.value)


@pytest.fixture
def training(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("train.py").write_text(TRAIN)
    Path("helper.py").write_text("VALUE = 1")
    return Training(monkeypatch, capsys)


def weights(step=10):
    return Path(f"runs/{step}.pt").read_text()


def test_a_command_runs_where_the_weights_are_not_there_and_once(training):
    record, said = training.run()
    assert "trained" in said and record["weights_are_made_by_it"]
    assert record["files"].keys() == {"train.py", "helper.py", "runs/0.pt", "runs/10.pt"}
    again, said = training.run()
    assert "trained" not in said and again == record


@pytest.mark.parametrize("name", ["train.py", "helper.py"])
def test_a_changed_script_or_what_it_imports_trains_again_in_place(training, name):
    training.run()
    Path(name).write_text(Path(name).read_text() + "\n# more")
    record, said = training.run()
    assert f"training: {name} has other contents" in said and record["weights_are_made_by_it"]


def test_another_command_trains_again_in_place_and_says_what_it_was(training):
    training.run()
    record, said = training.run(COMMAND + " more")
    assert f"training: the command was: {COMMAND}" in said and weights() == "10 1 ['more']"
    assert record["settings"]["command"] == COMMAND + " more"


def test_weights_that_no_command_made_are_left_as_they_are(training):
    Path("runs").mkdir()
    for step in (0, 10):
        Path(f"runs/{step}.pt").write_text("mine")
    record, _ = training.run()
    assert weights() == "mine" and not record["weights_are_made_by_it"]
    training.run(COMMAND + " more")
    assert weights() == "mine"


def test_weights_that_were_replaced_since_are_left_as_they_are(training):
    training.run()
    Path("runs/10.pt").write_text("mine")
    record, _ = training.run(COMMAND + " more")
    assert weights() == "mine" and not record["weights_are_made_by_it"]


def test_weights_that_are_gone_are_made_again(training):
    training.run()
    Path("runs/0.pt").unlink()
    _, said = training.run(COMMAND, "0")
    assert "training: runs/0.pt is missing" in said and Path("runs/0.pt").is_file()


def test_a_command_that_fails_is_named_with_its_last_lines_and_runs_again(training):
    command = "echo first; echo {'last'}; mkdir -p runs; echo x > runs/0.pt; exit 3"
    for _ in range(2):
        said = training.refused(command).splitlines()
        assert said == [f"exit status 3 of the command: {command}", "  first", "  {last}"]
    _, said = training.run()
    assert "training: its last run did not end" in said and weights(0) == "0 1 []"


def test_a_command_that_does_not_write_its_weights_is_named(training):
    assert "the command ended without writing runs/{step}.pt: true" in training.refused("true")
    assert "the command ended without writing runs/20.pt" in training.refused(COMMAND, "0", "20")
    training.run(COMMAND, "0")
    assert "runs/20.pt: the command has been run and did not write it" in training.refused(COMMAND, "20")


def test_a_command_that_leaves_the_weights_of_another_one_is_refused(training):
    training.run()
    for _ in range(2):
        assert "runs/0.pt: left by the command as an earlier one wrote it" in training.refused("true")
    Path("runs/0.pt").unlink()
    Path("runs/10.pt").unlink()
    training.run(COMMAND + " more")
    assert weights() == "10 1 ['more']"


def test_sources_are_named_files_modules_and_what_these_import(training):
    Path("package").mkdir()
    Path("package/__init__.py").write_text("")
    Path("package/fit.py").write_text("from . import nets\nfrom package.more import x\nimport numpy")
    Path("package/nets.py").write_text("import helper")
    Path("package/more.py").write_text("x = (")
    Path("settings.yaml").write_text("")
    found = training_sources.of_command("python -m package.fit --config=settings.yaml --out runs/0.pt")
    expected = {"package/__init__.py", "package/fit.py", "package/nets.py", "package/more.py", "helper.py"}
    assert set(map(str, found)) == expected | {"settings.yaml"}
    assert [str(p) for p in training_sources.of_command(f"{COMMAND} 'unbalanced")] == [
        "helper.py",
        "train.py",
    ]


def test_a_file_that_the_command_writes_is_no_source(training):
    Path("log.txt").write_text("")
    command = f"{COMMAND} | tee log.txt"
    assert "log.txt" not in training.run(command)[0]["files"]
    assert "trained" not in training.run(command)[1]

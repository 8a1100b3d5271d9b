"""A regression has no accuracy: files of its training leave it out, and are valid."""

import json

import h5py
from stage_runs import make, prepare_data, run

SPEC = {
    "architecture": {"kind": "mlp", "hidden": [6]},
    "training": {"steps": 40, "learning_rate": 0.05, "batch_size": 16},
}


def test_model_and_segments_of_a_regression_are_valid(tmp_path):
    data, spec, root = tmp_path / "data.h5", tmp_path / "spec.json", tmp_path / "checkpoint"
    assert prepare_data(data, "diabetes").returncode == 0
    spec.write_text(json.dumps(SPEC))
    flags = ("--checkpoint", root, "--checkpoint-interval", 0, "--keep-checkpoint")
    model = make(tmp_path / "model.h5", "train-model", "--data", data, "--spec", spec, *flags)
    segments = sorted(root.glob("*/training-*.h5"))
    with h5py.File(segments[0]) as file:
        assert "accuracy" not in file["record"] and len(file["record/loss"]) > 0
    done = run("validate", model, *segments)
    assert done.returncode == 0, done.stdout

"""How a sweep says that a network is trained: optimizers, schedules, steps."""

import pytest

from ritzflow.sweep import sweep_config
from ritzflow.sweep.sweep_file import ConfigError

DATA = {"source": "digits"}
NETWORK = {"kind": "mlp"}


def resolved(training, steps=None):
    model = {
        "data": DATA,
        "architecture": NETWORK,
        "training": {"steps": 250, "learning_rate": 0.1, **training},
    }
    model |= {} if steps is None else {"steps": steps}
    raw = {"name": "x", "models": {"m": model}, "operators": {"hessian": {}}}
    return sweep_config.resolve(raw, "configs/x.yaml")["models"]["m"]


def refusal(training, steps=None):
    with pytest.raises(ConfigError) as caught:
        resolved(training, steps)
    (line,) = str(caught.value).splitlines()
    return line


def test_gradient_descent_takes_all_samples_without_momentum():
    training = resolved({"optimizer": "gd"})["training"]
    assert (training["batch_size"], training["momentum"]) == ("all", 0)
    assert resolved({"optimizer": "gd", "momentum": 0.5})["training"]["momentum"] == 0.5
    assert "training.batch_size" in refusal({"optimizer": "gd", "batch_size": 32})


def test_minibatches_are_64_samples_with_momentum_unless_given():
    training = resolved({})["training"]
    assert (training["batch_size"], training["momentum"]) == (64, 0.9)
    assert resolved({"optimizer": "adam", "batch_size": "all"})["training"]["batch_size"] == "all"
    assert "training.batch_size" in refusal({"batch_size": "some"})
    assert "training.batch_size" in refusal({"batch_size": 0})


def test_a_schedule_is_in_the_spec_where_it_is_given_alone():
    assert not {"schedule", "warmup_steps"} & resolved({})["training"].keys()
    training = resolved({"schedule": "cosine", "warmup_steps": 10})["training"]
    assert (training["schedule"], training["warmup_steps"]) == ("cosine", 10)
    assert "training.schedule" in refusal({"schedule": "step"})
    assert "training.warmup_steps" in refusal({"warmup_steps": -1})


@pytest.mark.parametrize(
    ("every", "steps"), [("every 100", [0, 100, 200, 250]), ("every 50", [0, 50, 100, 150, 200, 250])]
)
def test_every_n_steps_are_listed_with_the_last(every, steps):
    assert resolved({}, every)["steps"] == steps


@pytest.mark.parametrize("steps", ["every", "every 0", "every -5", "each 100", "final"])
def test_steps_that_are_no_list_and_not_every_n_are_refused(steps):
    assert "models.m.steps" in refusal({}, steps)


@pytest.mark.parametrize("weights", ["w.pt", "w{step}.pt"])
def test_every_n_is_for_models_that_the_sweep_trains(weights):
    module = {"kind": "module", "module": "torch.nn:Linear", "weights": weights}
    raw = {
        "name": "x",
        "models": {"m": {"data": DATA, "architecture": module, "steps": "every 10"}},
        "operators": {"hessian": {}},
    }
    with pytest.raises(ConfigError, match="is for a model that the sweep trains"):
        sweep_config.resolve(raw, "configs/x.yaml")

"""Messages blame what is wrong: the attribute, the other file, the size that was asked for."""

import h5py
from stage_runs import edited, error_line, run

BAD_INPUT, REFUSED = 2, 3


def failed(status, *call):
    done = run(*call)
    assert done.returncode == status, done.stderr
    return error_line(done), done.stdout


def with_classes(good, tmp_path, classes):
    return edited(good.data, tmp_path / "data.h5", lambda file: file.attrs.modify("num_classes", classes))


def train(good, data, tmp_path):
    return "train-model", "--data", data, "--spec", good.spec, "--out", tmp_path / "model.h5"


def test_data_without_classes_is_refused_by_its_num_classes(good, tmp_path):
    for classes in (0, -3):
        data = with_classes(good, tmp_path, classes)
        text = f"{data}: attribute 'num_classes' is {classes}, expected at least 1"
        assert text in failed(BAD_INPUT, *train(good, data, tmp_path))[0]
        assert text in failed(BAD_INPUT, "validate", data)[1]


def test_want_of_memory_speaks_of_no_plan_that_was_not_made(good, tmp_path):
    line, _ = failed(REFUSED, *train(good, with_classes(good, tmp_path, 2**40), tmp_path))
    assert "out of memory" in line and "plan" not in line
    assert "expected a smaller model" in line
    assert not (tmp_path / "model.h5").exists()


def test_a_file_without_a_format_is_told_that_it_is_missing(tmp_path):
    with h5py.File(tmp_path / "plain.h5", "w") as file:
        file["x"] = 1
    _, problems = failed(BAD_INPUT, "validate", tmp_path / "plain.h5")
    assert "attribute 'format' is missing" in problems and "is ''" not in problems


def test_a_model_that_does_not_fit_the_data_is_refused_with_both_files(good, tmp_path):
    data = with_classes(good, tmp_path, 12)
    call = ("--data", data, "--model", good.model, "--operator", "ggn", "--out", tmp_path / "out.h5")
    line, _ = failed(BAD_INPUT, "build-operator", *call)
    for word in (good.model, data, "[10, 8]", "[12, 8]", "expected the data"):
        assert str(word) in line

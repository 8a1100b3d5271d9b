"""The guide's examples that need no other packages; the others are in tests/huggingface."""

import pytest
import worked_examples


@pytest.mark.parametrize(
    ("title", "spectra"),
    [("A convolutional network with ReLU and batch normalisation", 2), ("A physics-informed network", 1)],
)
def test_a_worked_example_runs_as_it_is_printed(title, spectra, tmp_path):
    printed = worked_examples.run(title, tmp_path)
    assert len(worked_examples.converged(printed)) >= 5 * spectra, printed

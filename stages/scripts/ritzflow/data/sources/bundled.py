"""Data sets that ship with scikit-learn; digits as images [N,1,8,8] with values in 0..16."""

from ritzflow.data.sources.samples import UNNAMED, Part, Samples

NAMES = ("digits", "wine", "breast_cancer", "iris", "diabetes")


def bundled(name: str) -> Samples:
    from sklearn import datasets  # here, for its import takes longer than all other work

    data = getattr(datasets, f"load_{name}")()
    if name == "digits":
        part = Part({UNNAMED: data.images[:, None, :, :]}, data.target)
        return Samples(part, task="classification", divisor=16.0)
    task = "regression" if name == "diabetes" else "classification"
    return Samples(Part({UNNAMED: data.data}, data.target), task=task)

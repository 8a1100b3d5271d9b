"""A results tree whose artifacts name one another as those of the stages do, without their numbers.

Written by h5py in a moment, so that thousands of cells can be compared with a sweep file.
"""

import hashlib
import json
import shlex

import h5py

from ritzflow.sweep import artifacts

ALGORITHMS = dict.fromkeys(
    (
        *(
            "prepare_data",
            "train_weights",
            "export_products",
            "train-model",
            "collect-kfac",
            "build-operator",
            "compare-kfac",
        ),
        *("lanczos", "ritz-residuals", "density", "metrics"),
    ),
    1,
)


def write(results, config, algorithms=ALGORITHMS, absent=lambda path: False, extra=lambda path, file: None):
    """Every artifact of the sweep but those that are `absent`; `extra` adds to each HDF5 file."""
    contents = {}
    for path, artifact in artifacts.of_sweep(config).items():
        digests = {
            role: [contents[p][artifact.step] for p in paths] for role, paths in artifact.inputs.items()
        }
        algorithm = algorithms[artifact.stage]
        content = digest((path, artifact.settings, digests, algorithm))
        same = {name: value for name, value in artifact.settings.items() if name != "steps"}
        trained = artifact.stage in ("train-model", "export_products") and "steps" in artifact.settings
        points = (
            {int(step): digest((int(step), same, digests)) for step in artifact.settings["steps"]}
            if trained
            else {}
        )
        contents[path] = Named(content, points)
        if absent(path):
            continue
        place = results / path
        place.parent.mkdir(parents=True, exist_ok=True)
        if path.endswith(".json"):
            write_json(place, artifact, algorithm, digests)
        else:
            write_hdf5(place, artifact, algorithm, digests, content, points, extra)


def digest(value) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()


class Named(dict):
    """The digest that an artifact made from this one names: of its step, where it has steps."""

    def __init__(self, content, points):
        super().__init__(points)
        self.content = content

    def __missing__(self, step):
        return self.content


def write_json(place, artifact, algorithm, digests):
    if artifact.stage == "train_weights":
        record = {"stage": artifact.stage, "algorithm": algorithm, "settings": artifact.settings, "files": {}}
        return place.write_text(sealed(record))
    said = {**artifact.settings, f"{artifact.stage.replace('-', '_')}_algorithm": algorithm}
    if place.is_file():
        said = {**json.loads(place.read_text()), **said}
    said |= {f"{role}_sha256": found[0] if found else None for role, found in digests.items()}
    place.write_text(sealed(said))


def sealed(record):
    """A record's text as the stages seal it."""
    body = (
        json.dumps({name: value for name, value in record.items() if name != "content_sha256"}, indent=2)
        + "\n"
    )
    return (
        json.dumps(
            {**json.loads(body), "content_sha256": hashlib.sha256(body.encode()).hexdigest()}, indent=2
        )
        + "\n"
    )


def write_hdf5(place, artifact, algorithm, digests, content, points, extra):
    told = artifact.stage == "train-model"  # by its spec
    spec = {key: value for key, value in artifact.settings.items() if told and ("." in key or key == "steps")}
    settings = {key: value for key, value in artifact.settings.items() if key not in spec}
    with h5py.File(place, "a") as file:
        file.attrs["content_sha256"] = content
        for role, found in digests.items():
            if artifact.stage != "density" or role == "operator":
                file.attrs[f"{role}_sha256"] = found[0]
        if spec or points:
            file.attrs["spec"] = json.dumps(nested(spec))
        for step, digest in points.items():
            file.require_group(f"steps/{step:08d}").attrs["sha256"] = digest
        made = file.require_group("provenance").attrs
        made["stage"], made["algorithm"] = artifact.stage, algorithm
        made["command"] = command(artifact.stage, settings)
        runs = {f"run{i}/lanczos.h5": digest for i, digest in enumerate(digests.get("lanczos", []))}
        made["inputs"] = json.dumps(runs if artifact.stage == "density" else {})
        made["files"] = "{}"
        extra(place.name, file)


def nested(flat):
    found = {}
    for key, value in flat.items():
        *folders, name = key.split(".")
        place = found
        for folder in folders:
            place = place.setdefault(folder, {})
        place[name] = value
    return found


def command(stage, settings):
    words = [stage]
    for name, value in settings.items():
        words.append(f"--{name.replace('_', '-')}")
        if value is not True:
            words += map(str, value if isinstance(value, list) else [value])
    return shlex.join([*words, "--threads", "3", "--out", "x.h5"])

"""Every command of README, docs and configs runs as printed, in the order of its page, in a fresh shell."""

import shutil
import subprocess

import numpy as np
import pages
import pytest
import torch
import yaml
from PIL import Image
from scripts_under_test import ROOT

PAGES = ["README.md", "configs/README.md", *(f"docs/{path.name}" for path in sorted(ROOT.glob("docs/*.md")))]
CELL = "results/demo/cells/digits_mlp/seed0"


def shell(folder, text):
    """Runs a script in a shell that has nothing of this one."""
    path = folder.with_name("page.sh")
    path.write_text(text)
    environment = {"HOME": str(folder.parent), "PATH": "/usr/local/bin:/usr/bin:/bin", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        ["bash", "-e", path],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A folder like the project's after `make demo`, of a demo of one network."""
    folder = tmp_path_factory.mktemp("pages") / "project"
    folder.mkdir()
    for name in ("Makefile", "Snakefile", "build", "stages", "tests", "docs", "profiles", ".venv"):
        (folder / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "configs", folder / "configs")
    demo = yaml.safe_load((folder / "configs" / "demo.yaml").read_text())
    (folder / "configs" / "demo.yaml").write_text(yaml.safe_dump(pages.smaller(demo)))
    shell(folder, pages.PRELUDE + "make demo")
    return folder


def images(count):
    return np.random.default_rng(0).random((count, 1, 8, 8), np.float32), np.arange(count) % 10


def of_readme(folder, _):
    x, y = images(60)
    np.savez(folder / "my_data.npz", inputs=x, targets=y)


def of_own_models(folder, blocks):
    """Data as the page names them, and weights of the module that it shows first."""
    x, y = images(100)
    np.savez(folder / "mine.npz", inputs=x, targets=y)
    np.savez(folder / "arrays.npz", X_train=x, y_train=y, X_test=x[:9], y_test=y[:9], w=np.ones(100))
    made = {}
    exec(next(block.text for block in blocks if block.file == "mine.py"), made)
    (folder / "runs").mkdir()
    for name in ("net", "runs/step0", "runs/step100", "runs/step300"):
        torch.save(made["net"]().state_dict(), folder / f"{name}.pt")
    for i, kind in enumerate(("daisy", "rose", "daisy", "rose")):
        (folder / "flowers/val" / kind).mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((20, 20, 3), 50 * i, np.uint8)).save(folder / f"flowers/val/{kind}/{i}.png")


def of_gpu(folder, _):
    shutil.copy(folder / "results/demo/data/digits_mlp.h5", folder / "data.h5")
    shutil.copy(folder / CELL / "model.h5", folder)


def of_formats(folder, _):
    shutil.copy(folder / CELL / "step150/hessian/full/probe0/ritz.h5", folder)


def of_reproducibility(folder, _):
    shutil.copytree(folder / "results", folder.parent / "other" / "results")


# The files of a user's own that a page speaks of.
FILES = {
    "README.md": of_readme,
    "docs/own-models.md": of_own_models,
    "docs/gpu.md": of_gpu,
    "docs/formats.md": of_formats,
    "docs/reproducibility.md": of_reproducibility,
}


@pytest.mark.parametrize("page", PAGES)
def test_every_block_has_a_language_and_is_left_out_for_a_known_reason_alone(page):
    assert list(filter(None, map(pages.wrong, pages.blocks(page)))) == []


@pytest.mark.parametrize("page", PAGES)
def test_a_page_runs_as_it_is_printed(page, request):
    blocks = pages.blocks(page)
    if not any(map(pages.command, blocks)):
        return
    project = request.getfixturevalue("project")
    FILES.get(page, lambda *_: None)(project, blocks)
    shell(project, pages.script(blocks))

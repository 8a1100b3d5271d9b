"""images:FOLDER, a folder of images for each class, as torchvision's ImageFolder has it.

Pixels are real numbers 0..1, [C,H,W], as torchvision's ToTensor makes them; one channel where all are grey.
Folders `train` and `test` (or `val`), each with the classes, are the source's own parts.
"""

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ritzflow.common.progress_line import Progress
from ritzflow.common.script_cli import InputError
from ritzflow.data.sources.drawn import to_read
from ritzflow.data.sources.samples import UNNAMED, Part, Samples
from ritzflow.data.sources.staging import Staging

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".pnm"}
GREY = ("1", "L", "LA")
COLOUR = ("RGB", "RGBA", "P", "CMYK", "YCbCr")
OTHER = "dataset:PACKAGE.MODULE:FUNCTION takes a data set with transforms of your own"


def read_images(folder: Path, options: Namespace, staging: Staging) -> Samples:
    parts = own_parts(folder)
    classes = [found.name for found in folders(parts[0])]
    if not classes:
        raise InputError(f"--source: {folder}: no folder in it; expected one for each class")
    files = [listed(part, classes) for part in parts]
    rows = to_read(len(files[0]), options)
    files[0] = files[0] if rows is None else [files[0][row] for row in rows]
    reader = Reader(files, options.image_size)
    read = [reader.part(found, staging) for found in files]
    return Samples(
        read[0],
        read[1] if len(read) > 1 else None,
        rows,
        "classification",
        scaled=True,
        class_names=classes,
        classes=len(classes),
        notes=["pixels 0..1"],
    )


def own_parts(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise InputError(f"--source: {folder}: not a folder")
    tests = [folder / name for name in ("test", "val") if (folder / name).is_dir()]
    if (folder / "train").is_dir() and tests:
        return [folder / "train", tests[0]]
    return [folder]


def folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def listed(part: Path, classes: list[str]) -> list[tuple[Path, int]]:
    """Every image with its class, in the order of the names."""
    found = []
    for folder in folders(part):
        if folder.name not in classes:
            raise InputError(f"--source: {folder}: a class that the training part does not have")
        images = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in SUFFIXES]
        if not images:
            raise InputError(f"--source: {folder}: no image in it ({', '.join(sorted(SUFFIXES))})")
        found += [(path, classes.index(folder.name)) for path in images]
    return found


class Reader:
    """Reads images in one size and one mode."""

    def __init__(self, files: list[list[tuple[Path, int]]], size: int | None) -> None:
        self.size, self.first = size, files[0][0][0]
        self.shape: tuple[int, ...] = ()
        self.mode = "L" if all(mode_of(path) in GREY for part in files for path, _ in part) else "RGB"

    def part(self, files: list[tuple[Path, int]], staging: Staging) -> Part:
        column = staging.column()
        with Progress("images", len(files)) as progress:
            for count, (path, _) in enumerate(files, 1):
                column.append(self.pixels(path)[None])
                progress(count)
        return Part({UNNAMED: column.array()}, np.array([label for _, label in files]))

    def pixels(self, path: Path) -> np.ndarray:
        with opened(path) as image:
            image = image.convert(self.mode)
            if self.size:
                image = image.resize((self.size, self.size), resample=2)  # bilinear, as torchvision's Resize
            pixels = np.asarray(image, dtype=np.uint8)
        pixels = pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)
        self.shape = self.shape or pixels.shape
        if pixels.shape != self.shape:
            raise InputError(
                f"--source: {path}: {pixels.shape[1]}x{pixels.shape[2]} pixels, {self.first} has "
                f"{self.shape[1]}x{self.shape[2]}; --image-size S makes all S x S, or {OTHER}"
            )
        return pixels.astype(np.float32) / np.float32(255)


def mode_of(path: Path) -> str:
    with opened(path, load=False) as image:
        if image.mode not in (*GREY, *COLOUR):
            raise InputError(f"--source: {path}: pixels of mode {image.mode}, expected 8 bits; {OTHER}")
        return image.mode


def opened(path: Path, load: bool = True) -> "Image.Image":
    from PIL import Image

    try:
        image = Image.open(path)
        if load:
            image.load()
        return image
    except Exception as error:  # each decoder has its own
        raise InputError(f"--source: {path}: not a readable image ({error})") from None

"""How every figure looks: one style, one colour and dash a mode, the same bytes for the same data."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ritzflow.common.atomic_write import atomic_write

matplotlib.use("Agg")
import matplotlib.pyplot as plt

# Okabe and Ito's colours, distinguishable by colour-blind readers; dashes and markers say the same again.
MODES: dict[str, dict[str, Any]] = {
    "full": {"color": "#0072B2", "linestyle": "-", "marker": "o"},
    "selective": {"color": "#D55E00", "linestyle": "-", "marker": "s"},
    "off": {"color": "#444444", "linestyle": (0, (5, 2)), "marker": "D"},
    "auto": {"color": "#009E73", "linestyle": (0, (1, 1.5)), "marker": "^"},
    "partial": {"color": "#CC79A7", "linestyle": "-.", "marker": "v"},
    "parlett_scott": {"color": "#E69F00", "linestyle": (0, (3, 1, 1, 1)), "marker": "P"},
    "thick_restart": {"color": "#56B4E9", "linestyle": (0, (7, 1)), "marker": "X"},
}

STYLE: Any = {
    "font.family": "sans-serif",
    "font.size": 8,
    "axes.titlesize": 8.5,
    "axes.labelsize": 8,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.5,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 1.3,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "figure.constrained_layout.use": True,
    "svg.hashsalt": "ritzflow",
    "svg.fonttype": "path",
    "savefig.dpi": 160,
}


def grid(rows: int, columns: int, width: float = 2.8, height: float = 1.95) -> tuple[Figure, Any]:
    """A figure of small multiples and its axes [rows, columns]."""
    plt.rcParams.update(STYLE)
    return plt.subplots(rows, columns, figsize=(width * columns, height * rows + 0.35), squeeze=False)


@dataclass(frozen=True)
class Line:
    """A line of a panel: a mode in one of its variants; shade: from 0, the mode's own colour, to 1, white."""

    mode: str
    variant: str = ""
    shade: float = 0

    @property
    def look(self) -> dict[str, Any]:
        look = dict(MODES[self.mode])
        if self.shade:
            red, green, blue = (c + (1 - c) * self.shade for c in to_rgb(look["color"]))
            look["color"] = to_hex((red, green, blue))
        return look

    @property
    def label(self) -> str:
        return f"{self.mode.replace('_', ' ')} {self.variant.removeprefix('/')}".strip()


def lines_of(variants: dict[str, list[str]]) -> list[Line]:
    """A line for each variant of each mode."""
    return [
        Line(mode, variant, 0.7 * i / len(names))
        for mode, names in variants.items()
        for i, variant in enumerate(names)
    ]


def legend(figure: Figure, lines: Sequence[Line]) -> None:
    """One legend for all panels, below them, so that it hides no data."""
    handles = [
        Line2D([], [], **line.look, markersize=4, markerfacecolor="white", label=line.label) for line in lines
    ]
    columns = columns_of(figure, lines)
    figure.set_figheight(figure.get_figheight() + 0.2 * (-(-len(lines) // columns) - 1))
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, handlelength=3.2)


def columns_of(figure: Figure, lines: Sequence[Line]) -> int:
    """One row for modes alone; with variants as many columns as the longest label leaves room for, at least
    one, for which the figure is made wide enough."""
    longest = max((len(line.label) for line in lines if line.variant), default=0)
    if not longest:
        return len(lines)
    entry = 0.7 + 0.068 * longest  # inches
    figure.set_figwidth(max(figure.get_figwidth(), entry))
    return int(figure.get_figwidth() / entry)


def save(figure: Figure, stem: Path, made_from: str) -> None:
    """`stem`.svg and `stem`.png, without dates, with the digest of what they show as their description."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    for suffix, facts in (("svg", {"Date": None, "Creator": "ritzflow"}), ("png", {"Software": "ritzflow"})):
        with atomic_write(stem.with_name(f"{stem.name}.{suffix}")) as part:
            figure.savefig(part, format=suffix, metadata={**facts, "Description": made_from})
        figure.set_layout_engine("none")  # the layout is found once, for both files
    plt.close(figure)

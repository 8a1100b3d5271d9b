"""The ablation table for a page: Markdown, LaTeX (booktabs) and HTML, each column in its own precision."""

import html
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

MISSING = "—"
NEGATIVE_BOUNDS = ("negative_fraction_lower_mean", "negative_fraction_upper_mean")


@dataclass(frozen=True)
class Column:
    """A printed column: headings, the table column(s) it shows, and how."""

    plain: str
    tex: str
    show: Callable[[pd.Series], str]


def significant(value: float, digits: int) -> str:
    """Plain notation with at least `digits` significant digits: 12.3, 0.0042, 4711."""
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value)))) if value else 0
    return f"{value:.{decimals}f}"


def exponent(value: float) -> int:
    """The power of ten of `value` once it is rounded to two digits; 0 for 0."""
    return int(f"{value:.1e}".partition("e")[2])


def plus_minus(mean: float, sd: float) -> str:
    """mean ± sd; two digits of the spread decide the precision, five digits of the mean are the most."""
    if pd.isna(sd):
        return significant(mean, 4)
    most = 4 - exponent(mean)
    decimals = max(0, most if sd == 0 else min(1 - exponent(sd), most))
    return f"{mean:.{decimals}f} ± {sd:.{decimals}f}"


def seconds(mean: float, sd: float) -> str:
    return f"{mean:.2f}" if pd.isna(sd) else f"{mean:.2f} ± {sd:.2f}"


def count(value: float) -> str:
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.1f}"


def share(mean: float, lower: float, upper: float) -> str:
    """A share in percent with its bounds: those of the mean are the means of each cell's."""
    return f"{100 * mean:.0f} % [{100 * lower:.0f}, {100 * upper:.0f}]"


def power(value: float) -> str:
    """Scientific notation with two digits; exactly 0 is 0."""
    return f"{value:.1e}".replace("e-0", "e-").replace("e+0", "e+") if value else "0"


def of(name: str, form: Callable[..., str], *more: str) -> Callable[[pd.Series], str]:
    """Shows column `name` (and `more`) by `form`; empty where unknown, a dash where no cell exists."""

    def show(row: pd.Series) -> str:
        if row["n"] == 0:
            return MISSING
        return "" if pd.isna(row[name]) else form(row[name], *(row[other] for other in more))

    return show


def mode(row: pd.Series) -> str:
    """The mode asked for and, where it differs, the one that ran."""
    ran = row["reorth_mode_ran"]
    return row["reorth_mode"] if ran in ("", row["reorth_mode"]) else f"{row['reorth_mode']} ({ran})"


def matrix(row: pd.Series) -> str:
    """The operator and, where it is one, the layer or module that it is the block of."""
    return f"{row['operator']} {row['block']}".strip()


def cells_averaged(row: pd.Series) -> str:
    return count(row["n"]) if row["missing"] == 0 else f"{row['n']} of {row['n'] + row['missing']}"


COLUMNS = (
    Column("operator", "operator", matrix),
    Column("mode", "mode", mode),
    Column("n", "$n$", cells_averaged),
    Column("λ_max", r"$\lambda_{\max}$", of("lambda_max_mean", plus_minus, "lambda_max_sd")),
    Column("converged", "converged", of("converged_of_k", str)),
    Column("wrong", "wrong", of("wrong_of_top_k_mean", count)),
    Column("naive wrong", "naive", of("naive_wrong_of_top_k_mean", count)),
    Column("ghosts", "ghosts", of("naive_ghosts_mean", count)),
    Column("negative", "negative", of("negative_fraction_mean", share, *NEGATIVE_BOUNDS)),
    Column("residual", "residual", of("max_residual_over_lambda_max_max", power)),
    Column(
        "true/est.",
        "true/est.",
        of("residual_ratio_worst", lambda v: significant(v, 3) if v < 1e3 else power(v)),
    ),
    Column("orth. loss", "orth.~loss", of("orthogonality_loss_max", power)),
    Column("products", "products", of("operator_calls_mean", count)),
    Column("basis MB", "MB", of("basis_bytes_mean", lambda v: significant(v / 1e6, 3))),
    Column("seconds", "seconds", of("wall_seconds_mean", seconds, "wall_seconds_sd")),
)

VARIANT = Column("variant", "variant", lambda row: row["variant"])


def columns(table: pd.DataFrame) -> tuple[Column, ...]:
    """The printed columns; `variant` is one where the sweep has any."""
    return (*COLUMNS[:2], VARIANT, *COLUMNS[2:]) if "variant" in table else COLUMNS


LEGEND = (
    "λ_max: mean ± standard deviation over n cells (seeds and probes). converged: pairs of the k wanted ones "
    "that converged, in the cell with the fewest. wrong: entries of the returned "
    "top-k list that are not {baseline}'s, mean; naive: the same for the unfiltered list. ghosts: "
    "copies in the unfiltered list, mean. negative: share of negative eigenvalues in the whole "
    "spectrum with its bounds, mean, of indefinite operators; of thick_restart and auto, whose runs may "
    "restart, that of the first mode whose runs cannot. residual: worst true residual over |λ_max|. "
    "true/est.: worst ratio of true residual to estimate. orth. loss: worst loss of orthogonality of the "
    "basis. products: matrix-vector products, mean. MB: the basis. seconds: wall time of lanczos. A dash "
    "marks missing cells, an empty place what is unknown."
)


def legend(baseline: str) -> str:
    """What the columns are; `baseline` is what others are compared with."""
    return LEGEND.format(baseline=baseline)


def groups(table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Rows by model and step; the step is named only where a model has several."""
    for (model, step), rows in table.groupby(["model", "step"], sort=False):
        several = table[table["model"] == model]["step"].nunique() > 1
        yield (f"{model}, step {step}" if several else str(model)), rows


def markdown(table: pd.DataFrame, notes: list[str], baseline: str) -> str:
    lines = ["# Ablation", ""]
    for name, rows in groups(table):
        lines += [f"## {name}", "", *markdown_rows(rows), ""]
    lines += [legend(baseline), "", "```", *(f"# {note}" for note in notes), "```", ""]
    return "\n".join(lines)


def names_of(table: pd.DataFrame) -> int:
    """How many of the printed columns, the first ones, are names."""
    return next(i for i, column in enumerate(columns(table)) if column.plain == "n")


def markdown_rows(rows: pd.DataFrame) -> list[str]:
    """A pipe table, padded so that it also reads well as plain text."""
    shown, names = columns(rows), names_of(rows)
    grid = [[c.plain for c in shown], *([c.show(row) for c in shown] for _, row in rows.iterrows())]
    widths = [max(3, *(len(line[i]) for line in grid)) for i in range(len(shown))]
    ruler = ["-" * w if i < names else "-" * (w - 1) + ":" for i, w in enumerate(widths)]

    def line(entries: Sequence[str]) -> str:
        padded = [e.ljust(w) for e, w in zip(entries[:names], widths[:names], strict=True)]
        padded += [e.rjust(w) for e, w in zip(entries[names:], widths[names:], strict=True)]
        return f"| {' | '.join(padded)} |"

    return [line(entries) for entries in (grid[0], ruler, *grid[1:])]


def latex(table: pd.DataFrame, notes: list[str], name: str, baseline: str) -> str:
    """A floating table for the booktabs package; its label is unique to the sweep."""
    shown, names = columns(table), names_of(table)
    head = " & ".join(column.tex for column in shown) + r" \\"
    body = []
    for title, rows in groups(table):
        body += [r"\midrule", rf"\multicolumn{{{len(shown)}}}{{l}}{{\textit{{{escape(title)}}}}} \\"]
        body += [" & ".join(tex_entry(c.show(row)) for c in shown) + r" \\" for _, row in rows.iterrows()]
    return "\n".join(
        [
            *(f"% {note}" for note in notes),
            r"% needs \usepackage{booktabs}",
            r"\begin{table}",
            r"\centering\scriptsize\setlength{\tabcolsep}{3pt}",
            rf"\caption{{Sweep \texttt{{{escape(name)}}}. {caption(baseline)}}}",
            rf"\label{{tab:ritzflow-{name.replace('_', '-')}-ablation}}",
            rf"\begin{{tabular}}{{{'l' * names}{'r' * (len(shown) - names)}}}",
            r"\toprule",
            head,
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def caption(baseline: str) -> str:
    return escape(legend(baseline)).replace("λ\\_max", r"$\lambda_{\max}$").replace("±", r"$\pm$")


def escape(text: str) -> str:
    special = {c: f"\\{c}" for c in "&%$#_{}"} | {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\^{}",
    }
    return "".join(special.get(character, character) for character in text)


def tex_entry(entry: str) -> str:
    """A table entry in LaTeX: 1.2e-7 as a power of ten, ± as \\pm, names escaped."""
    mantissa, e, exponent = entry.partition("e")
    if e and exponent.lstrip("+-").isdigit():
        return rf"${mantissa}\cdot10^{{{int(exponent)}}}$"
    if "±" in entry:
        return f"${entry.replace('±', chr(92) + 'pm')}$"
    return {MISSING: "---"}.get(entry) or escape(entry)


def html_table(table: pd.DataFrame) -> str:
    shown = columns(table)
    head = "".join(f"<th>{html.escape(column.plain)}</th>" for column in shown)
    parts = [f"<table><thead><tr>{head}</tr></thead>"]
    for title, rows in groups(table):
        parts.append(f'<tbody><tr class="group"><td colspan="{len(shown)}">{html.escape(title)}</td></tr>')
        for _, row in rows.iterrows():
            entries = "".join(f"<td>{html.escape(column.show(row))}</td>" for column in shown)
            parts.append(f"<tr>{entries}</tr>")
        parts.append("</tbody>")
    return "\n".join([*parts, "</table>"])

"""Figures for the book and the labs: inline SVG whose ink is the page's own text colour, so light and dark both read."""

import io
import re
from collections.abc import Mapping, Sequence
from html import escape

import matplotlib

matplotlib.use("agg", force=False)  # figures are shown by `show`, never by a window
import matplotlib.pyplot as plt
import torch
from IPython.display import HTML, display
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .cells import expect

# Six hues whose contrast with white and with the dark page is at least 3 (a test holds them to it).
COLOURS = ("#2f7fc1", "#cf6a26", "#2b9468", "#a065cc", "#d84a52", "#7d858d")
INK = "#1a2b3c"  # a colour nobody else uses: `svg` replaces it by currentColor
STYLE = {
    "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": INK, "xtick.color": INK, "ytick.color": INK,
    "grid.color": INK, "grid.alpha": 0.2, "axes.grid": True, "axes.axisbelow": True, "lines.linewidth": 2,
    "axes.spines.top": False, "axes.spines.right": False, "axes.prop_cycle": matplotlib.cycler(color=COLOURS),
    "figure.facecolor": "none", "axes.facecolor": "none", "savefig.facecolor": "none",
    "legend.frameon": False, "font.sans-serif": ["DejaVu Sans"], "font.size": 10, "axes.titlesize": 11, "svg.fonttype": "none",
}  # fmt: skip
_COORDINATES = re.compile(r' (?:d|x|y|x1|y1|x2|y2|cx|cy|points|transform)="[^"]*"')
_IDLE = re.compile(r""" transform="rotate\(-0 [^"]*"| font-family: [^;"]*;""")  # no turn; and the font is named once, on top


def axes(columns: int = 1, width: float = 6.0, height: float = 3.2, **subplots) -> tuple[Figure, list[Axes]]:
    """A figure in the course's style and its axes, side by side: ``fig, (left, right) = axes(2)``.

    Parameters
    ----------
    columns : int
        Axes in the row.
    width, height : float
        In inches, of the whole figure. Six inches fill the text column.
    **subplots
        Passed to ``plt.subplots``.
    """
    with plt.rc_context(STYLE):
        fig, row = plt.subplots(1, columns, figsize=(width, height), layout="constrained", squeeze=False, **subplots)
    return fig, list(row[0])


def curves(series: Mapping[str, Sequence[float]], xlabel: str, ylabel: str, *, x: Sequence[float] | None = None, log: bool = False,
           ax: Axes | None = None) -> Figure:
    """Named curves over a common x, by default 0, 1, 2, …; a legend if the axes then hold more than one named thing.

    Raises
    ------
    ValueError
        If there is no curve, or one has another length than ``x``.
    """
    expect(len(series) > 0, "series", "at least one named curve", series)
    fig, ax = (ax.figure, ax) if ax is not None else (lambda f, a: (f, a[0]))(*axes())
    with plt.rc_context(STYLE):
        for name, y in series.items():
            where = range(len(y)) if x is None else x
            expect(len(where) == len(y), f"series[{name!r}]", f"{len(where)} values", len(y))
            ax.plot(where, [float(v) for v in y], label=name)
        ax.set(xlabel=xlabel, ylabel=ylabel, **({"yscale": "log"} if log else {}))
        if len(ax.get_legend_handles_labels()[0]) > 1:
            ax.legend()
    return fig


def heat(values: torch.Tensor, xlabel: str, ylabel: str, *, label: str, ax: Axes | None = None, centred: bool = False, **imshow) -> Figure:
    """A matrix as colours, row 0 at the bottom, with a colour bar named ``label``; ``centred`` makes 0 the neutral colour."""
    expect(values.dim() == 2, "values", "a matrix", tuple(values.shape))
    fig, ax = (ax.figure, ax) if ax is not None else (lambda f, a: (f, a[0]))(*axes())
    if centred:
        top = values.abs().max().item() or 1.0
        imshow = {"cmap": "RdBu_r", "vmin": -top, "vmax": top} | imshow
    with plt.rc_context(STYLE):
        image = ax.imshow(values.detach(), **{"aspect": "auto", "origin": "lower", "interpolation": "none"} | imshow)
        ax.grid(False)
        ax.set(xlabel=xlabel, ylabel=ylabel)
        fig.colorbar(image, ax=ax, label=label)
    return fig


def spectrum(W: torch.Tensor, ax: Axes) -> None:
    """The eigenvalues of W in the complex plane, with the unit circle: blue dots in it fade, orange dots outside grow."""
    with plt.rc_context(STYLE):
        ax.add_patch(plt.Circle((0, 0), 1, fill=False, color=COLOURS[5], linestyle="--"))
        eigenvalues = torch.linalg.eigvals(W)
        outside = eigenvalues.abs() > 1 + 1e-6  # the margin: a computed modulus of 1 is rarely exactly 1
        for part, colour in ((~outside, COLOURS[0]), (outside, COLOURS[1])):
            ax.scatter(eigenvalues[part].real, eigenvalues[part].imag, color=colour, s=18, zorder=3)
        ax.set(xlabel="real part", ylabel="imaginary part", aspect="equal")


def svg(fig: Figure, alt: str) -> str:
    """The figure as an inline SVG that carries ``alt`` as its text alternative, without dates, comments or long decimals."""
    expect(bool(alt.strip()), "alt", "a sentence that says what is to be seen", repr(alt))
    buffer = io.StringIO()
    with plt.rc_context(STYLE | {"svg.hashsalt": alt}):  # ids are the same in each build, and differ between figures
        fig.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    plt.close(fig)
    text = buffer.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", text[text.index("<svg") :], flags=re.S)
    short = lambda number: f"{float(number[0]):.1f}".removesuffix(".0")  # noqa: E731
    text = _COORDINATES.sub(lambda attribute: re.sub(r"-?\d+\.\d{2,}", short, attribute[0]), text)
    text = _IDLE.sub("", text)
    used = set(re.findall(r"#([\w.-]+)", text))
    text = re.sub(r' id="([^"]+)"', lambda m: m[0] if m[1] in used else "", text)
    text = re.sub(r"\s*\n\s*", " ", text).replace("> <", "><")
    text = text.replace(INK, "currentColor").replace("#000000", "currentColor")
    return text.replace("<svg ", f'<svg role="img" aria-label="{escape(alt)}" font-family="DejaVu Sans, sans-serif" fill="currentColor" ', 1)


def show(fig: Figure, alt: str) -> None:
    """Display a figure, in a notebook or in the book; ``alt`` says in a sentence what is to be seen."""
    display(HTML(svg(fig, alt)))

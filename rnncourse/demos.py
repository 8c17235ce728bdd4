"""Sliders that move everywhere: ipywidgets in JupyterLab, plain HTML on the book's static pages.

All frames are computed when the cell runs. In JupyterLab a widget shows them; the same output carries them as HTML,
which the book shows, so that a page needs neither a kernel nor a network.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from html import escape
from itertools import product

import ipywidgets as widgets
from IPython.display import display
from matplotlib.figure import Figure

from .cells import expect
from .plots import svg


def slider(frame: Callable[..., Figure | str], values: Mapping[str, Sequence], alt: Callable[..., str], *, fmt: Callable = str,
           start: int = 0) -> None:
    """Show ``frame(value)`` under a slider over a list of values.

    Parameters
    ----------
    frame : callable
        From one value for each slider to a figure, or to a piece of HTML.
    values : mapping of str to sequence
        The label of a slider and the values it goes through. With two labels there are two sliders, and a frame
        for every pair.
    alt : callable
        From the same values to the sentence that says what is to be seen there.
    fmt : callable
        How a value is printed beside its slider.
    start : int
        Which frame is seen first, on the page also without JavaScript. Frames are counted with the last slider fastest.

    Raises
    ------
    ValueError
        If there is no slider, one has no values, or ``start`` is not a frame.

    Examples
    --------
    ::

        slider(lambda rho: plots.curves({"": rho ** np.arange(50)}, "t", "size"), {"rho": [0.9, 1, 1.1]},
               alt=lambda rho: f"rho^t for rho = {rho}")
    """
    expect(len(values) > 0 and all(len(v) for v in values.values()), "values", "a list of values for each label", values)
    combinations = [*product(*values.values())]
    expect(0 <= start < len(combinations), "start", f"0 to {len(combinations) - 1}", start)
    frames = [_html(frame(*v), alt(*v)) for v in combinations]
    labels = {label: [fmt(v) for v in vs] for label, vs in values.items()}
    bundle = _widget(frames, labels, start)._repr_mimebundle_()
    display(bundle | {"text/html": _page(frames, labels, start)}, raw=True)


def _html(frame: Figure | str, alt: str) -> str:
    return frame if isinstance(frame, str) else svg(frame, alt)


def _digits(index: int, sizes: list[int]) -> list[int]:
    """The position of each slider for one frame: the last slider is the fastest."""
    digits = []
    for size in reversed(sizes):
        index, digit = divmod(index, size)
        digits.append(digit)
    return digits[::-1]


def _widget(frames: list[str], labels: dict[str, list[str]], start: int) -> widgets.Widget:
    """Sliders linked in the browser to nested stacks of frames: one stack a slider."""
    positions = _digits(start, [len(names) for names in labels.values()])
    stacks = [widgets.HTML(f) for f in frames]
    controls = []
    for (label, names), position in reversed([*zip(labels.items(), positions)]):
        control = widgets.SelectionSlider(options=[(name, i) for i, name in enumerate(names)], index=position, description=label,
                                          style={"description_width": "initial"})
        controls.insert(0, control)
        groups = [stacks[i : i + len(names)] for i in range(0, len(stacks), len(names))]
        stacks = [widgets.Stack(group, selected_index=position) for group in groups]
        for stack in stacks:
            widgets.jslink((control, "index"), (stack, "selected_index"))
    return widgets.VBox([*controls, *stacks])


def _page(frames: list[str], labels: dict[str, list[str]], start: int) -> str:
    """The same for a page without a kernel: the first frame in sight, the others in templates (see demos.js)."""
    rows = []
    for (label, names), position in zip(labels.items(), _digits(start, [len(names) for names in labels.values()])):
        rows.append(f'<label><span>{escape(label)}</span> <input type="range" min="0" max="{len(names) - 1}" value="{position}" '
                    f'data-names="{escape(json.dumps(names))}"> <output>{escape(names[position])}</output></label>')
    templates = "".join(f"<template>{f}</template>" for f in frames)
    return (f'<div class="demo" role="group" aria-label="{escape(", ".join(labels))}"><div class="demo-controls" hidden>{"".join(rows)}</div>'
            f'<div class="demo-stage">{frames[start]}</div>{templates}'
            f"<noscript><p>This is one frame of {len(frames)}: the slider needs JavaScript.</p></noscript></div>")

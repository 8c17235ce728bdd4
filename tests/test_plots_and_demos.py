import re

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from rnncourse import demos, plots


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear))


def contrast(a, b):
    low, high = sorted([luminance(a), luminance(b)])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("page", ["#ffffff", "#121212"])
@pytest.mark.parametrize("colour", plots.COLOURS)
def test_every_hue_stands_out_on_light_and_dark(page, colour):
    assert contrast(colour, page) >= 3


def test_a_figure_is_the_same_text_each_time_and_has_no_ink_of_its_own():
    first, second = (plots.svg(plots.curves({"a": [1, 2, 4], "b": [3, 2, 1]}, "steps", "size"), "two curves") for _ in "ab")
    assert first == second and plots.INK not in first and "currentColor" in first
    assert 'role="img" aria-label="two curves"' in first and "Date" not in first


def test_a_figure_needs_a_text_alternative():
    with pytest.raises(ValueError, match="^alt: expected a sentence"):
        plots.svg(plots.curves({"a": [1, 2]}, "steps", "size"), " ")


def test_curves_of_unequal_length_are_refused():
    with pytest.raises(ValueError, match=r"^series\['b'\]: expected 2 values, got 3"):
        plots.curves({"b": [1, 2, 3]}, "steps", "size", x=[0, 1])


def shown(*args, **kwargs):
    """The HTML and the widget of a demo."""
    InteractiveShell.instance()
    with capture_output() as captured:
        demos.slider(*args, **kwargs)
    return captured.outputs[0].data


def test_a_page_holds_every_frame_and_shows_the_one_to_start_with():
    page = shown(lambda v: f"<p>{v}</p>", {"size": [1, 2, 3]}, alt=str, start=1)["text/html"]
    assert page.count("<template>") == 3
    assert re.search(r'class="demo-stage"><p>2</p>', page) and 'value="1"' in page and "<noscript>" in page


def test_two_sliders_make_every_pair_with_the_last_one_fastest():
    page = shown(lambda a, b: f"<p>{a}{b}</p>", {"a": [1, 2], "b": "xyz"}, alt=lambda a, b: a, start=4)["text/html"]
    assert re.findall(r"<template><p>(..)</p>", page) == ["1x", "1y", "1z", "2x", "2y", "2z"]
    assert re.findall(r'value="(\d)"', page) == ["1", "1"] and 'class="demo-stage"><p>2y</p>' in page


def test_the_widget_shows_the_same_frames_as_the_page():
    widget = demos._widget(["1x", "1y", "2x", "2y"], {"a": ["1", "2"], "b": ["x", "y"]}, start=2)
    a, b, outer = widget.children
    assert (a.index, b.index, outer.selected_index) == (1, 0, 1)
    assert [[f.value for f in inner.children] for inner in outer.children] == [["1x", "1y"], ["2x", "2y"]]


def test_labels_are_escaped():
    page = shown(lambda v: "<p></p>", {'<"&>': [1]}, alt=str)["text/html"]
    assert '<"&>' not in page and "&lt;&quot;&amp;&gt;" in page


@pytest.mark.parametrize("values, start", [({}, 0), ({"a": []}, 0), ({"a": [1, 2]}, 2)])
def test_a_demo_without_frames_is_refused(values, start):
    with pytest.raises(ValueError, match="^(values|start): expected"):
        demos.slider(lambda v: "", values, alt=str, start=start)


def test_black_text_of_a_plain_matplotlib_figure_takes_the_pages_ink():
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots()
    ax.plot([1, 2], color="black")
    ax.set_title("title")
    assert "#000000" not in (text := plots.svg(fig, "a line")) and 'fill="currentColor"' in text

"""How long a page takes: its words and lines of code are counted as it is built, the seconds of its cells are stored.

Under the title of each chapter stands what it takes. The roles ``reading`` and ``running`` name pages, in the folder
``book`` if nothing else is said, and stand for the sum: {reading}`gates/lstm gates/gru` and {running}`../labs/gates/gates`.
Counted is what is read once: not margin notes, outputs, hidden cells, what folds hide, exercises and their solutions.
"""

import functools
import json
import posixpath
import zlib
from math import ceil
from pathlib import Path
from statistics import median

from docutils import nodes
from fold import details
from sphinx.util.docutils import SphinxRole

WORDS, LINES = 238, 30  # a minute: Brysbaert (2019) for text; for code there is no such number, and this is our guess
STORED = Path(__file__).resolve().parents[1] / "results" / "run_times.json"
LATER = ("Exercises", "Further reading")


class asked(nodes.Inline, nodes.TextElement):
    """A number that is known when all pages are read."""


class Times(SphinxRole):
    def run(self):
        pages = [posixpath.normpath(posixpath.join("book", page)) for page in self.text.split()]
        for page in pages:  # whose change is a reason to read this page again
            self.env.note_dependency(self.env.doc2path(page, base=False))
        return [asked("", kind=self.name, pages=pages)], []


def tally(node: nodes.Node) -> tuple[int, int]:
    """Words and lines of code that are read once."""
    if isinstance(node, nodes.literal_block):
        return 0, len(node.astext().splitlines())
    if isinstance(node, nodes.Text):
        return len(node.split()), 0
    unread = isinstance(node, details) and "fold" not in node["classes"] or isinstance(node, nodes.math_block | nodes.sidebar | nodes.raw | nodes.Invisible)
    classes = node.get("classes", [])
    if unread or "cell_output" in classes or "admonition" in classes and "dropdown" in classes or node.get("hide_mode") in ("input", "all"):
        return 0, 0
    parts = [tally(child) for child in node.children]
    return sum(words for words, _ in parts), sum(lines for _, lines in parts)


def count(app, doctree) -> None:
    """Core path, starred sections: (words, lines of code) each."""
    core, starred = [0, 0], [0, 0]
    top = next((child for child in doctree.children if isinstance(child, nodes.section)), doctree)
    for part in top.children:
        title = part.next_node(nodes.title).astext() if isinstance(part, nodes.section) else ""
        if not title.startswith(LATER):
            into = starred if title.startswith("★") else core
            into[:] = [a + b for a, b in zip(into, tally(part))]
    app.env.metadata[app.env.docname]["reading"] = (core, starred)


def minutes(words: int, lines: int) -> int:
    return ceil(words / WORDS + lines / LINES)


@functools.cache
def stored() -> dict[str, float]:
    """Seconds by the source that was executed."""
    runs = json.loads(STORED.read_text("utf8"))["runs"] if STORED.exists() else []
    return {run["case"]["page"]: median(run["values"]) for run in runs}


def seconds(page: str) -> float:
    """What is stored for a page, or for the solution of a lab; 0 for a page without cells."""
    source = page.replace("labs/", "solutions/", 1) + ".ipynb" if page.startswith("labs/") else page + ".md"
    return stored().get(source, 0.0)


def fill(app, doctree, docname: str) -> None:
    """Write the numbers, once all pages are counted."""
    for node in list(doctree.findall(asked)):
        missing = [page for page in node["pages"] if page not in app.env.found_docs]
        if missing:
            raise ValueError(f"{docname}: no page {missing[0]} in the book")
        spent = [minutes(*app.env.metadata[page]["reading"][0]) if node["kind"] == "reading" else seconds(page) for page in node["pages"]]
        node.replace_self(nodes.Text(f"{sum(spent):.0f} {'min' if node['kind'] == 'reading' else 's'}"))
    titles = [node for node in doctree.findall(nodes.title) if isinstance(node.parent, nodes.section)]
    if any(title.astext() == "Summary" for title in titles):
        (words, lines), starred = app.env.metadata[docname]["reading"]
        text = f"{words:,} words and {lines} lines of code on the core path, {minutes(words, lines)} minutes; {minutes(*starred)} more with ★. Its cells run in {seconds(docname):.0f} seconds."
        line = nodes.paragraph("", "", nodes.Text(text), classes=["reading-time"])
        titles[0].parent.insert(titles[0].parent.index(titles[0]) + 1, line)


def setup(app):
    app.add_node(asked)
    for name in ("reading", "running"):
        app.add_role(name, Times())
    app.connect("doctree-read", count, priority=900)  # after the folds
    app.connect("doctree-resolved", fill)
    version = zlib.crc32(STORED.read_bytes()) if STORED.exists() else 1
    return {"version": "1", "env_version": version, "parallel_read_safe": True, "parallel_write_safe": True}

"""The reference of the package: what is left out, and what sphinx-codeautolink needs to read our pages."""

import re
from pathlib import Path

import sphinx_codeautolink.extension as codeautolink
from docutils import nodes
from fold import box

link_html = codeautolink.link_html


def untitled(app, doctree) -> None:
    """Make the body of an exercise, a section without a title, a plain box: sphinx-codeautolink counts titles."""
    for section in [node for node in doctree.findall(nodes.section) if not any(isinstance(child, nodes.title) for child in node)]:
        section.replace_self(box("", *section.children))


def skip(app, what: str, name: str, member, skipped: bool, options) -> bool | None:
    """Leave out the fields of named tuples, of which Python says only their number: the class tells what they are."""
    return True if (getattr(member, "__doc__", "") or "").startswith("Alias for field number") else None


def without_drawings(document: str, folder: str, *arguments, **options) -> None:
    """Have sphinx-codeautolink parse a page without its figures, which are most of it: that takes a minute from the build."""
    page, drawn = Path(folder) / f"{document}.html", []

    def shelve(figure: re.Match) -> str:
        drawn.append(figure[0])
        return f"<!--figure {len(drawn) - 1}-->"

    page.write_text(re.sub(r"<svg\b.*?</svg>", shelve, page.read_text("utf8"), flags=re.S), "utf8")
    link_html(document, folder, *arguments, **options)
    page.write_text(re.sub(r"<!--figure (\d+)-->", lambda place: drawn[int(place[1])], page.read_text("utf8")), "utf8")


def setup(app):
    codeautolink.link_html = without_drawings
    app.connect("doctree-read", untitled, priority=480)
    app.connect("autodoc-skip-member", skip)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

"""The reference of the package: what is left out, and what sphinx-codeautolink needs to read our pages."""

from docutils import nodes
from fold import box


def untitled(app, doctree) -> None:
    """Make the body of an exercise, a section without a title, a plain box: sphinx-codeautolink counts titles."""
    for section in [node for node in doctree.findall(nodes.section) if not any(isinstance(child, nodes.title) for child in node)]:
        section.replace_self(box("", *section.children))


def skip(app, what: str, name: str, member, skipped: bool, options) -> bool | None:
    """Leave out the fields of named tuples, of which Python says only their number: the class tells what they are."""
    return True if (getattr(member, "__doc__", "") or "").startswith("Alias for field number") else None


def setup(app):
    app.connect("doctree-read", untitled, priority=480)
    app.connect("autodoc-skip-member", skip)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

"""``{source} rnncourse.unfold.unfold``: a function of the package as the book runs it, without its docstring."""

import ast
from pathlib import Path
from textwrap import dedent

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from rnncourse.results import PACKAGE


def plain(name: str) -> tuple[Path, str]:
    """The file of a function or class and its source without docstrings of its own."""
    _, module, *path = name.split(".")
    file = PACKAGE / f"{module}.py"
    text = file.read_text("utf8")
    node = ast.parse(text)
    for part in path:
        node = next((child for child in node.body if getattr(child, "name", None) == part), None)
        if node is None:
            raise LookupError(f"{{source}} {name}: {file.name} has no {part}")
    lines = text.splitlines()
    documented = ast.get_docstring(node) is not None
    docstring = range(node.body[0].lineno, node.body[0].end_lineno + 1) if documented else ()
    return file, dedent("\n".join(lines[i - 1] for i in range(node.lineno, node.end_lineno + 1) if i not in docstring))


class Source(SphinxDirective):
    required_arguments = 1

    def run(self):
        file, text = plain(self.arguments[0])
        self.env.note_dependency(str(file))
        return [nodes.literal_block(text, text, language="python")]


def setup(app):
    app.add_directive("source", Source)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

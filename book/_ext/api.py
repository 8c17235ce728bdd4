"""The reference of the package: what is left out, and what sphinx-codeautolink needs to read our pages."""

import re
import time
from pathlib import Path

import sphinx_codeautolink.extension as codeautolink
from docutils import nodes
from fold import box

BLOCK = re.compile(r'<div class="(?:highlight-|doctest)[^"]*">.*?</pre></div>\s*</div>', re.S)
link_html, apply_links = codeautolink.link_html, codeautolink.SphinxCodeAutoLink.apply_links
BEGAN = time.time()


def untitled(app, doctree) -> None:
    """Make the body of an exercise, a section without a title, a plain box: sphinx-codeautolink counts titles."""
    for section in [node for node in doctree.findall(nodes.section) if not any(isinstance(child, nodes.title) for child in node)]:
        section.replace_self(box("", *section.children))


def skip(app, what: str, name: str, member, skipped: bool, options) -> bool | None:
    """Leave out the fields of named tuples, of which Python says only their number: the class tells what they are."""
    return True if (getattr(member, "__doc__", "") or "").startswith("Alias for field number") else None


def code_alone(document: str, folder: str, *arguments, **options) -> None:
    """Have sphinx-codeautolink parse the blocks of code of a page, not all of it with its figures: that takes half a minute from the build."""
    page = Path(folder) / f"{document}.html"
    text = page.read_text("utf8")
    page.write_text("\n".join(f"<!--block-->{block}<!--end-->" for block in BLOCK.findall(text)), "utf8")
    link_html(document, folder, *arguments, **options)
    linked = iter(re.findall("<!--block-->(.*?)<!--end-->", page.read_text("utf8"), re.S))
    page.write_text(BLOCK.sub(lambda _: next(linked), text), "utf8")


def apply_to_written(state, app, exception) -> None:
    """Have it link all pages that this build wrote: it knows only those whose source changed, not what was executed again, nor the pages above."""
    pages = {doc: Path(app.outdir, f"{doc}.html") for doc in app.env.found_docs}
    state.outdated_docs = {doc for doc, page in pages.items() if page.exists() and page.stat().st_mtime > BEGAN}
    apply_links(state, app, exception)


def setup(app):  # before sphinx_codeautolink's own
    codeautolink.link_html, codeautolink.SphinxCodeAutoLink.apply_links = code_alone, apply_to_written
    app.connect("doctree-read", untitled, priority=480)
    app.connect("autodoc-skip-member", skip)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

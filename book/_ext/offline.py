"""Make the book self-contained: MathJax from the wheel, no CDN, and the theme's slips mended.

What breaks without each mend, and which test notices, is listed in CONTRIBUTING.md.
"""

import importlib.util
import re
import shutil
from itertools import count
from pathlib import Path

# What MathJax 3 can ask for at run time with tex-chtml.js; the wheel holds eight times as much.
MATHJAX = ("tex-chtml.js", "output/chtml/fonts/woff-v2", "input/tex/extensions")
# (pattern, replacement) over every page, whatever the order of its attributes
MENDS = (
    (re.compile(r'\s*<script[^>]*(?:scripts/fontawesome|fontawesome/[\d.]+/js/all\.min)\.js[^>]*></script>'), ""),
    (re.compile(r'\s*<link(?=[^>]*rel="preload")[^>]*fontawesome[^>]*js[^>]*>'), ""),
    (re.compile(r'(<summary[^>]*?) aria-label="[^"]*"'), r"\1"),
    (re.compile(r'(<button(?=[^>]*search-button-field)[^>]*?) aria-label="[^"]*"'), r"\1"),
    (re.compile(r'<div(?=[^>]*id="pst-primary-sidebar")(?![^>]*role=)'), '<div role="region" aria-label="Site"'),
    (re.compile(r'(<summary>Expand for references to )<a [^>]*>(.*?)</a>'), r"\1\2"),  # a link inside of what is clicked
    (re.compile(r' id="(?:exercise|solution)-content"'), ""),  # the same id for every exercise of a page
    (re.compile(r' role="doc-biblioentry"|(?<=<div) role="list"(?= class="citation-list")|(?<=<div class="citation-list") role="list"'), ""),  # a role without its parts
)
MARGIN = re.compile(r'<aside(?=[^>]*class="margin sidebar")(?![^>]*aria-label)')  # once: a warm build passes over pages that it did not make anew


def copy_mathjax(static: Path) -> None:
    spec = importlib.util.find_spec("sphinx-mathjax-offline")
    if spec is None:
        raise RuntimeError("MathJax is missing: pip install -r requirements.txt")
    source = Path(spec.origin).parent / "static" / "mathjax"
    for name in MATHJAX:
        here, there = source / name, static / "mathjax" / name
        there.parent.mkdir(parents=True, exist_ok=True)
        if here.is_dir():
            shutil.copytree(here, there, dirs_exist_ok=True)
        else:
            shutil.copy2(here, there)


def first_page(app, out: Path) -> None:
    """The redirect page that the table of contents makes has no icon: a browser then asks for one that is not there."""
    start, title = app.config.master_doc + ".html", app.config.html_title
    (out / "index.html").write_text(
        f'<!doctype html>\n<html lang="{app.config.language}"><head><meta charset="utf-8"><title>{title}</title>'
        f'<link rel="icon" href="_static/favicon.svg"><meta http-equiv="Refresh" content="0; url={start}"></head>'
        f'<body><main><h1>{title}</h1><p><a href="{start}">{start}</a></p></main></body></html>\n', "utf8")


def finish(app, exception) -> None:
    if exception or app.builder.format != "html":
        return
    out = Path(app.outdir)
    copy_mathjax(out / "_static")
    first_page(app, out)
    for page in out.rglob("*.html"):
        text = new = page.read_text("utf8")
        for pattern, replacement in MENDS:
            new = pattern.sub(replacement, new)
        notes = count(1)
        new = MARGIN.sub(lambda tag: f'{tag[0]} aria-label="Margin note {next(notes)}"', new)
        if new != text:
            page.write_text(new, "utf8")
    for file in [*out.glob("_static/**/*.map"), *out.glob("_static/scripts/fontawesome.js*")]:
        file.unlink(missing_ok=True)  # a map can match both


def setup(app):
    app.connect("build-finished", finish, priority=900)  # after sphinx-external-toc
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

"""Each chapter as a notebook that runs elsewhere: the page's text, with its numbers and links, around the page's own cells.

The first cell gets the package, and the stored results that a page plots, where they are not there yet. Once the
repository's address is set in ``_config.yml``, a page also offers to open its notebook on Colab.
"""

import re
from pathlib import Path
from urllib.parse import urljoin

import nbformat
from bs4 import BeautifulSoup, NavigableString, Tag
from edition import WHEEL
from fresh import read
from markdownify import markdownify
from nbformat.v4 import new_code_cell, new_markdown_cell

FIRST = '''# The course's package, with the stored results that this page plots. In a clone of the course both are there already.
import importlib.util, os, sys, types
from pathlib import Path

if importlib.util.find_spec("rnncourse") is None:
    %pip install --quiet "rnncourse[book] @ {address}"
import rnncourse

if not any((folder / "experiments").is_dir() for folder in (Path.cwd(), *Path.cwd().parents)):
    os.chdir(Path(rnncourse.__file__).parent / "course")
if importlib.util.find_spec("myst_nb") is None:  # it carries numbers into the book's text; here they stand in it
    sys.modules["myst_nb"] = types.ModuleType("myst_nb")
    sys.modules["myst_nb"].glue = lambda *_, **__: None
'''
DRAWN = re.compile(r"<svg\b.*?</svg>", re.S)  # most of a page, and the notebook's own cells draw it again
GONE = ".headerlink, button, script, noscript, .sd-tab-set > input, .open-all"
HIDDEN = {"remove-cell", "remove_cell"}


def segments(article: Tag) -> list[str | None]:
    """The text of a page as Markdown, and None wherever a cell stands."""
    for note in article.select("aside.margin"):
        note.name = "blockquote"
    for title in article.select(".sd-tab-set > label, p.admonition-title"):
        title.name = "h4"
    for formula in article.select(".math"):
        text = formula.get_text().strip()
        number = formula.select_one(".eqno")
        tex = re.sub(r"^\\[\[(]|\\[\])]$", "", text.replace(number.get_text(), "").strip() if number else text).strip()
        tag = rf" \tag{{{number.get_text().strip('()#')}}}" if number else ""
        formula.replace_with(NavigableString(keep(f"\n\n$$\n{tex}{tag}\n$$\n\n" if formula.name == "div" else f"${tex}$")))
    for cell in article.select("div.cell"):
        cell.replace_with(NavigableString("\ue000"))
    return [part for text in markdownify(str(article), heading_style="ATX", bullets="-", code_language="python", escape_underscores=False,
                                         escape_asterisks=False).split("\ue000") for part in (restore(text), None)][:-1]  # fmt: skip


def keep(tex: str) -> str:
    """A formula in letters that Markdown leaves alone, until `restore`."""
    return "\ue001" + tex.encode().hex() + "\ue002"


def restore(text: str) -> str:
    text = re.sub("\ue001([0-9a-f]*)\ue002", lambda found: bytes.fromhex(found[1]).decode(), text)
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def notebook(page: str, source: nbformat.NotebookNode, address: str, home: str):
    """A rendered page and its source as one notebook."""
    article = BeautifulSoup(DRAWN.sub("", page), "html.parser").select_one("article.bd-article")
    for gone in article.select(GONE):
        gone.decompose()
    for link in article.find_all("a", href=True):
        if home:
            link["href"] = urljoin(home, link["href"])
        elif "://" not in link["href"]:
            link.unwrap()  # nowhere to lead to
    code = [cell for cell in source.cells if cell.cell_type == "code"]
    shown = iter(cell for cell in code if not HIDDEN & set(cell.metadata.get("tags", [])))
    cells, done = [new_code_cell(FIRST.format(address=address))], 0
    for part in segments(article):
        if part:
            cells.append(new_markdown_cell(part))
        elif part is None:
            last = code.index(next(shown))
            cells += [new_code_cell(cell.source, metadata={"tags": cell.metadata.get("tags", [])}) for cell in code[done : last + 1]]
            done = last + 1
    cells += [new_code_cell(cell.source) for cell in code[done:]]
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number}"  # the same each time
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}})


def offer(app, pagename: str, templatename: str, context: dict, doctree) -> None:
    """Have the theme's download button offer the notebook."""
    if pagename in getattr(app.env, "nb_metadata", {}) and app.env.nb_metadata[pagename].get("exec_data"):
        context["ipynb_source"] = f"{pagename}.ipynb"


def colab(app, pagename: str, templatename: str, context: dict, doctree) -> None:
    repository = app.config.html_theme_options.get("repository_url", "")
    if context.get("ipynb_source") and repository.startswith("https://github.com/"):
        url = f"https://colab.research.google.com/github/{repository.removeprefix('https://github.com/').strip('/')}/blob/notebooks/{pagename}.ipynb"
        context["header_buttons"].append({"type": "link", "url": url, "text": "Colab", "icon": "fas fa-rocket", "tooltip": "Open in Colab", "label": "launch-colab"})


def write(app, exception) -> None:
    if exception or app.builder.name != "html":
        return
    home, out = app.config.html_baseurl, Path(app.outdir)
    for docname, data in app.env.nb_metadata.items():
        page, target = out / f"{docname}.html", out / "_sources" / f"{docname}.ipynb"
        if data.get("exec_data") and not (target.exists() and target.stat().st_mtime > page.stat().st_mtime):  # a warm build makes few pages
            made = notebook(page.read_text("utf8"), read(app, docname), urljoin(home, f"_static/{WHEEL}") if home else WHEEL, home and urljoin(home, f"{docname}.html"))
            nbformat.write(made, target)


def setup(app):
    app.connect("html-page-context", offer)
    app.connect("html-page-context", colab, priority=510)  # after the theme's own buttons
    app.connect("build-finished", write, priority=910)  # after the pages are mended
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

"""The whole book as one PDF, printed by Chromium from the rendered pages: python book/_ext/pdf.py _build/html OUT.pdf [COURSE]

What moves stands still, what is folded is open, and links between pages become links inside the file. The headings
become its bookmarks. Hidden code, which only draws, is left out.
"""

import os
import re
import shutil
import sys
from pathlib import Path

import yaml
from bs4 import BeautifulSoup, Tag
from pypdf import PdfWriter
from pypdf.generic import NameObject, TextStringObject

ROOT = Path(__file__).resolve().parents[2]
GONE = (".headerlink", "button", "script", "noscript", ".demo-controls", ".lab-download", ".cell_input details", "details.admonition.hide",
        ".sd-tab-set > input", ".toctree-wrapper", "details:not([class]):has(table)")  # fmt: skip
FOOTER = '<div style="width:100%;font:8px sans-serif;text-align:center"><span class="pageNumber"></span></div>'


def contents(toc: dict) -> list[tuple[str, list[str]]]:
    """The parts of the book: a caption and its pages."""
    return [("", [toc["root"]])] + [(part["caption"], [chapter["file"] for chapter in part["chapters"] if chapter["file"] != "genindex"]) for part in toc["parts"]]


def article(html: Path, page: str, pages: set[str]) -> Tag:
    """A page's text, with names of its own for its anchors."""
    soup = BeautifulSoup((html / f"{page}.html").read_text("utf8"), "html.parser")
    text = soup.select_one("article.bd-article")
    for gone in [tag for selector in GONE for tag in text.select(selector)]:
        gone.decompose()
    for tag in text.find_all(id=True):
        if not tag.find_parent("svg") and tag.name != "svg":  # a figure's own references stay as they are
            tag["id"] = f"{page}--{tag['id']}"
    for link in text.find_all("a", href=True):
        link["href"] = inside(link["href"], page, pages)
    for picture in text.find_all("img", src=True):
        if "://" not in picture["src"] and not picture["src"].startswith("data:"):
            picture["src"] = (html / page).parent.joinpath(picture["src"]).resolve().as_uri()
    for fold in text.find_all("details"):
        fold["open"] = ""
    for level in (4, 3, 2, 1):  # a part is the first level
        for heading in text.find_all(f"h{level}"):
            heading.name = f"h{level + 1}"
    text.name, text["id"], text["class"] = "article", page, "chapter"
    return text


def inside(href: str, page: str, pages: set[str]) -> str:
    """A link from a page, as it has to be in the one file; what leads elsewhere stays."""
    path, _, anchor = href.partition("#")
    if "://" in path or path.startswith("mailto:"):
        return href
    target = os.path.normpath(os.path.join(os.path.dirname(page), path)).removesuffix(".html").split("?")[0] if path else page
    if target.split(".html")[0] in pages:
        target = target.split(".html")[0]
        return f"#{target}--{anchor}" if anchor else f"#{target}"
    return f"#{page}"


def whole(html: Path, course: Path) -> str:
    """All pages as one, in the order of the table of contents."""
    config, toc = (yaml.safe_load((course / name).read_text("utf8")) for name in ("_config.yml", "_toc.yml"))
    parts = contents(toc)
    pages = {page for _, part in parts for page in part}
    mathjax = BeautifulSoup((html / f"{toc['root']}.html").read_text("utf8"), "html.parser").find_all("script")
    settings = "".join(str(tag) for tag in mathjax if "window.MathJax" in tag.text)
    style = "".join(f'<link rel="stylesheet" href="{(html / "_static" / name).as_uri()}">' for name in ("pygments.css", "book.css", "print.css"))
    body = []
    for caption, part in parts:
        body += [f'<h1 class="part">{caption}</h1>'] * bool(caption) + [str(article(html, page, pages)) for page in part]
    return (f'<!doctype html><html lang="en" data-theme="light"><head><meta charset="utf-8"><title>{config["title"]}</title>{style}{settings}'
            f'<script defer src="{(html / "_static/mathjax/tex-chtml.js").as_uri()}"></script></head><body>{"".join(body)}</body></html>')


def bookmarks(file: Path, text: str) -> None:
    """Name the bookmarks by the headings: Chromium leaves out formulas, and the space at which a heading goes on in a new line."""
    titles = iter([" ".join(re.sub(r"\\[()]|[{}]", "", tag.get_text()).split()) for tag in BeautifulSoup(text, "html.parser").find_all(re.compile("^h[1-6]$"))])
    writer = PdfWriter(clone_from=file)

    def rename(item) -> None:
        while item is not None:
            entry = item.get_object()
            entry[NameObject("/Title")] = TextStringObject(next(titles))
            rename(entry.get("/First"))
            item = entry.get("/Next")

    rename(writer.root_object["/Outlines"]["/First"])
    writer.write(file)


def pdf(html: Path, target: Path, course: Path = ROOT) -> Path:
    """Print the book.

    Raises
    ------
    FileNotFoundError
        If there is no rendered book, or no Chromium.
    """
    from playwright.sync_api import sync_playwright

    if not (html / "index.html").is_file():
        raise FileNotFoundError(f"there is no rendered book in {html}: say make book first")
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        raise FileNotFoundError("the PDF is printed by Chromium, and there is none on this machine: apt install chromium")
    page = html / "_static" / "whole.html"
    text = whole(html, course)
    page.write_text(text, "utf8")
    try:
        with sync_playwright() as p:
            opened = p.chromium.launch(executable_path=browser, args=["--no-sandbox", "--disable-gpu", "--disable-quic"])
            tab = opened.new_page()
            tab.set_default_timeout(300_000)
            tab.goto(page.as_uri())
            tab.evaluate("MathJax.startup.promise")
            target.parent.mkdir(parents=True, exist_ok=True)
            tab.pdf(path=target, format="A4", outline=True, tagged=True, print_background=True, display_header_footer=True, header_template="<span></span>",
                    footer_template=FOOTER, margin={"top": "18mm", "bottom": "18mm", "left": "18mm", "right": "18mm"})  # fmt: skip
            opened.close()
    finally:
        page.unlink()
    bookmarks(target, text)
    return target


if __name__ == "__main__":
    print(f"the PDF: {pdf(*(Path(path).resolve() for path in sys.argv[1:]))}")

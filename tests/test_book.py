"""The whole book, built as `make book` does and opened in a real browser with the network cut."""

import functools
import gzip
import http.server
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import nbformat
import pytest
from pypdf import PdfReader

from rnncourse.results import root

sys.path.append(str(root() / "book" / "_ext"))
import edition  # noqa: E402

pytestmark = pytest.mark.slow
ROOT = root()
HTML = ROOT / "_build" / "html"
PAGES = [os.path.relpath(name, "book") for name in re.findall(r"(?:root|file): (\S+)", (ROOT / "_toc.yml").read_text())]
LABS = [page.split("/")[-1] for page in PAGES if page.startswith("../labs")]
# What the theme causes, and we cannot mend from outside (CONTRIBUTING.md lists it): rule and the start of the element
THEME = set()


def build(folder=ROOT, *arguments, **environment):
    command = [Path(sys.executable).with_name("jupyter-book"), "build", ".", *arguments]
    return subprocess.run(command, cwd=folder, text=True, capture_output=True, env=os.environ | environment)


@pytest.fixture(scope="session")
def book():
    done = build(ROOT, "-n", "-W", "--keep-going")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert f"first page: {HTML / 'index.html'}" in done.stdout
    return HTML


@pytest.fixture(scope="session")
def server(book):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("localhost", 0), functools.partial(Quiet, directory=book)) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://localhost:{httpd.server_port}"
        httpd.shutdown()


@pytest.fixture
def visit(chromium, book):
    """Open a page and watch it: what it asks for outside, and what it complains about."""
    contexts = []

    def go(page, at=book.as_uri(), width=1280, scheme="light", **options):
        context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, **options)
        contexts.append(context)
        tab = context.new_page()
        tab.outside, tab.complaints = [], []
        tab.route("**/*", lambda route: route.continue_() if route.request.url.startswith((at, "data:", "blob:"))
                  else (tab.outside.append(route.request.url), route.abort()))
        tab.on("console", lambda m: m.type in ("error", "warning") and tab.complaints.append(m.text))
        tab.on("pageerror", lambda e: tab.complaints.append(str(e)))
        tab.goto(f"{at}/book/{page}.html" if not page.startswith("/") else at + page)
        tab.wait_for_timeout(700)
        return tab

    yield go
    for context in contexts:
        context.close()


def axe(tab):
    import axe_core_python

    tab.add_script_tag(path=str(Path(axe_core_python.__file__).with_name("axe.min.js")))
    found = tab.evaluate("axe.run({resultTypes: ['violations']})")["violations"]
    return [(v["id"], node["html"][:90]) for v in found for node in v["nodes"]]


def look(visit, page, at, **options):
    """Everything that holds for every page in every setting."""
    tab = visit(page, at, **options)
    assert tab.outside == [] and tab.complaints == []
    assert tab.locator("mjx-merror").count() == 0, "MathJax cannot read a formula"
    wide = tab.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0, f"{wide} pixels too wide"
    assert [found for found in axe(tab) if not any(found[0] == rule and found[1].startswith(start) for rule, start in THEME)] == []


SETTINGS = [(place, scheme, width) for place in ("disk", "server") for scheme in ("light", "dark") for width in (1280, 390)]
OPPOSITE = [("disk", "dark", 390), ("server", "light", 1280)]  # `make check` has all of them


@pytest.mark.parametrize("page, place, scheme, width", [(page, *OPPOSITE[n // 2 % 2]) for n, page in enumerate(PAGES) if n % 2 == 0])  # `make check` has all
def test_a_page_works_offline_and_for_everybody(visit, server, book, page, place, scheme, width):
    look(visit, page, server if place == "server" else book.as_uri(), scheme=scheme, width=width)


@pytest.mark.check
@pytest.mark.parametrize("place, scheme, width", SETTINGS)
def test_every_page_does(visit, server, book, place, scheme, width):
    for page in sorted([*book.glob("book/**/*.html"), *book.glob("labs/**/*.html")]):
        look(visit, f"/{page.relative_to(book).as_posix()}", server if place == "server" else book.as_uri(), scheme=scheme, width=width)


@pytest.mark.check
def test_two_cold_builds_are_the_same(tmp_path):
    pages = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        assert build(ROOT, "-n", "-W", "--keep-going", "--path-output", str(folder)).returncode == 0
        html = folder / "_build" / "html"
        pages.append({p.relative_to(html): p.read_bytes() for p in html.rglob("*.html")})
    assert pages[0].keys() == pages[1].keys()
    assert [name for name in pages[0] if pages[0][name] != pages[1][name]] == []


def test_a_second_build_mends_nothing_twice(book):
    before = {p: p.read_bytes() for p in book.glob("book/**/*.html")}
    assert build(ROOT, "-n", "-W", "--keep-going").returncode == 0
    assert [p for p in before if p.read_bytes() != before[p]] == []


@pytest.mark.parametrize("page", [page for page in PAGES if page == "index" or page.split("/")[0] in ("recurrence", "gradients", "gates", "language", "generation")][::2])
def test_a_slider_moves_by_keyboard(visit, page):
    tab = visit(page)
    for demo in tab.query_selector_all(".demo"):
        tab.evaluate("d => { for (let p = d.closest('details'); p; p = p.parentElement.closest('details')) p.open = true; }", demo)
        before = demo.query_selector(".demo-stage").inner_html()
        slider = demo.query_selector("input")
        slider.focus()
        tab.keyboard.press("End" if slider.input_value() == "0" else "Home")
        assert demo.query_selector(".demo-stage").inner_html() != before
    assert tab.query_selector(".demo")


def test_without_javascript_a_first_frame_and_every_fold_can_be_read(visit):
    tab = visit("gradients/eigenvalues", java_script_enabled=False)
    assert tab.locator(".demo-stage svg").first.is_visible()
    assert tab.locator("noscript p").first.is_visible() and not tab.locator(".demo-controls").first.is_visible()
    assert all(fold.get_attribute("open") is not None for fold in tab.query_selector_all("details.fold"))


def test_a_fold_is_closed_opens_by_link_by_switch_and_in_print(visit):
    tab = visit("gradients/eigenvalues")
    is_open = "[...document.querySelectorAll('details.fold')].map(f => f.open)"
    assert not any(tab.evaluate(is_open))
    tab.evaluate("document.querySelector('details.fold p').id = 'inside'; location.hash = '#inside'")
    tab.wait_for_timeout(100)
    assert tab.evaluate(is_open)[0]
    tab.click(".open-all")
    assert all(tab.evaluate(is_open))
    tab.click(".open-all")
    assert not any(tab.evaluate(is_open))
    tab.pdf()  # prints
    assert not any(tab.evaluate(is_open))
    tab.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert all(tab.evaluate(is_open))


def test_a_fold_opens_where_a_searched_word_is_found(visit):
    tab = visit("/search.html?q=compounds")  # stands in a fold alone
    tab.click("#search-results li a", timeout=5000)
    tab.wait_for_selector("details.fold .highlighted", state="visible", timeout=5000)
    assert tab.complaints == []


@pytest.mark.parametrize("place", ["disk", "server"])
def test_search_finds_a_word_without_a_network(visit, server, book, place):
    tab = visit("/search.html?q=unfold", server if place == "server" else book.as_uri())
    tab.wait_for_selector("#search-results li a", timeout=5000)
    assert tab.outside == [] and tab.complaints == []


def test_the_notation_tabs_of_a_page_move_together_and_follow_the_address(visit):
    tab = visit("recurrence/cell")
    tab.goto(tab.url + "?course=ucl")
    tab.wait_for_timeout(500)
    assert tab.locator(".sd-tab-set label", has_text="UCL").first.evaluate("l => document.getElementById(l.htmlFor).checked")


def test_a_self_check_answers_in_the_page(visit):
    tab = visit("recurrence/cell")
    choice = tab.locator(".selfcheck details").first
    choice.scroll_into_view_if_needed()
    choice.locator("summary").click()
    assert choice.locator("p").first.is_visible()


def test_answered_self_checks_are_kept_in_the_browser_and_ticked_in_the_contents(visit):
    tab = visit("recurrence/cell")
    checks = tab.locator(".selfcheck")
    checks.first.locator("details.wrong summary").first.click()
    tab.reload()
    for check in checks.all():
        check.locator("details.right summary").first.click()
    tab.reload()
    assert tab.locator(".score").inner_text() == f"Self-checks answered: {checks.count()} of {checks.count()}, {checks.count() - 1} at once."
    assert tab.locator(".bd-sidebar-primary a.answered").count() == 1


def test_printing_answers_no_self_check(visit):
    tab = visit("recurrence/cell")
    tab.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert tab.locator(".selfcheck details:not([open])").count() == 0 and tab.locator(".selfcheck.done").count() == 0


def test_in_print_answers_are_there_at_once_and_hidden_code_is_not(visit):
    tab = visit("recurrence/cell")
    tab.emulate_media(media="print")
    tab.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert tab.locator("details.hide").count() and not any(fold.is_visible() for fold in tab.locator("details.hide").all())
    assert tab.evaluate("[...document.querySelectorAll('article details:not(.hide) *')].every(e => getComputedStyle(e).animationName === 'none')")


@pytest.mark.parametrize("page", PAGES)
def test_a_page_weighs_little(book, page):
    text = (book / "book" / f"{page}.html").resolve().read_bytes()
    demos = b"".join(re.findall(rb'<div(?=[^>]*class="demo").*?</noscript>\s*</div>', text, re.S))
    assert text.count(b"demo-controls") == demos.count(b"demo-controls") and len(demos) <= 1_500_000 and len(gzip.compress(demos)) <= 200_000


@pytest.mark.parametrize("lab", LABS)
def test_a_lab_can_be_taken_from_its_page(visit, book, lab):
    tab = visit(f"../labs/{lab}/{lab}")
    target = tab.locator("a.lab-download").first.get_attribute("href")
    assert (book / "labs" / lab / target).resolve().exists()


def run_elsewhere(notebook, wheel, folder):
    """Run a downloaded notebook where there is no clone, with the package from its wheel."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(folder / "site"), str(wheel)]
    subprocess.run(command, check=True)
    (folder / "away").mkdir()
    command = [sys.executable, "-m", "jupyter", "nbconvert", "--execute", "--to", "notebook", "--output-dir", str(folder / "away"), str(notebook)]
    done = subprocess.run(command, cwd=folder / "away", capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(folder / "site")})
    assert done.returncode == 0, done.stderr[-2000:]
    return nbformat.read(folder / "away" / notebook.name, as_version=4)


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    return edition.wheel(tmp_path_factory.mktemp("wheel"))


def test_a_downloaded_notebook_runs_outside_of_a_clone_and_has_text_numbers_and_formulas(book, wheel, tmp_path):
    made = run_elsewhere(book / "_sources" / "book" / "gradients" / "eigenvalues.ipynb", wheel, tmp_path)
    text = "\n".join(cell.source for cell in made.cells if cell.cell_type == "markdown")
    assert re.match(r"# (\d+\. )?Vanishing and exploding gradients", made.cells[1].source) and "$$\n" in text and re.search(r"\\tag\{[\d.]+\}", text)
    assert "glue:" not in text and "{ref}" not in text and "¶" not in text and "](#" not in text
    assert not any(output.output_type == "error" for cell in made.cells if cell.cell_type == "code" for output in cell.outputs)


@pytest.mark.check
@pytest.mark.parametrize("page", [page for page in PAGES if page.split("/")[0] in ("recurrence", "gradients", "gates", "language", "generation", "atlas")])
def test_every_downloaded_notebook_runs(book, wheel, tmp_path, page):
    run_elsewhere(book / "_sources" / "book" / f"{page}.ipynb", wheel, tmp_path)


def printed(*paths):
    """The PDF, from a process of its own: in this one a browser of the tests may be open, and Playwright allows one."""
    subprocess.run([sys.executable, ROOT / "book" / "_ext" / "pdf.py", *paths], check=True)
    return paths[1]


@pytest.mark.check
def test_the_pdf_holds_every_chapter_in_its_bookmarks(book, tmp_path):
    found = PdfReader(printed(book, tmp_path / "book.pdf", ROOT))
    titles = " ".join(str(found.outline).split())
    assert len(found.pages) > 200 and all(word in titles for word in ("eigenvalue", "gate by gate", "Searching for a sequence", "Errata", "Glossary"))


# --- a small book of its own, to see what a change re-executes ---

PAGE = "---\nfile_format: mystnb\nkernelspec: {{name: python3, display_name: Python 3, language: python}}\n---\n# {}\n\n```{{code-cell}} python\n{}\n```\n"


@pytest.fixture
def small(tmp_path):
    shutil.copytree(ROOT / "rnncourse", tmp_path / "rnncourse", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("_ext", "_static", "notation.yml", "references.bib"):
        source, target = ROOT / "book" / name, tmp_path / "book" / name
        target.parent.mkdir(exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    for name in ("_config.yml", "requirements.txt"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "labs").mkdir()
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: book/index\nchapters:\n- file: book/plots\n- file: book/alone\n")
    (tmp_path / "book" / "index.md").write_text("# First\n")
    (tmp_path / "book" / "plots.md").write_text(PAGE.format("Plots", "from rnncourse import plots"))
    (tmp_path / "book" / "alone.md").write_text(PAGE.format("Alone", "print('alone')").replace("---\n", "---\ndepends: [data/*.txt]\n", 1))
    (tmp_path / "data").mkdir()

    def run(*arguments):
        done = build(tmp_path, *arguments, PYTHONPATH=str(tmp_path))
        return done, set(re.findall(r"executed \d of \d: book/(\w+)\.md", done.stdout))

    return tmp_path, run


def test_a_change_re_executes_what_depends_on_it_and_nothing_else(small):
    folder, run = small

    def executed():
        done, pages = run()
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return pages

    assert executed() == {"plots", "alone"}
    assert executed() == set()
    cells = folder / "rnncourse" / "cells.py"
    cells.write_text("# a comment\n" + cells.read_text())
    assert executed() == set()
    cells.write_text(cells.read_text() + "\nNEW = 1\n")
    assert executed() == {"plots"}
    (folder / "data" / "read.txt").write_text("named in the front matter")
    assert executed() == {"alone"}
    (folder / "requirements.txt").write_text("torch==0\n")
    assert executed() == {"plots", "alone"}


def test_a_page_that_is_executed_again_keeps_its_links_from_code(small):
    folder, run = small
    (folder / "book" / "index.md").write_text("# First\n\n```{eval-rst}\n.. autofunction:: rnncourse.plots.heat\n```\n")
    (folder / "book" / "plots.md").write_text(PAGE.format("Plots", "from rnncourse import plots\n\nplots.heat"))
    for _ in "ab":
        assert run()[1] >= {"plots"}
        assert 'index.html#rnncourse.plots.heat"' in (folder / "_build" / "html" / "book" / "plots.html").read_text()
        with (folder / "rnncourse" / "plots.py").open("a") as file:
            file.write("\nNEW = 1\n")


def test_choices_of_a_self_check_are_shuffled_the_same_way_each_time(small):
    folder, run = small
    (folder / "book" / "alone.md").write_text("# Alone\n\n" + "".join(f"```{{selfcheck}}\nQuestion {n}?\n\n- (+) Yes\n\n  So.\n- (-) No\n\n  So.\n```\n\n" for n in range(20)))
    orders = []
    for _ in "ab":
        shutil.rmtree(folder / "_build", ignore_errors=True)
        assert run()[0].returncode == 0
        orders.append(re.findall('<details class="(right|wrong)">', (folder / "_build" / "html" / "book" / "alone.html").read_text()))
    assert orders[0] == orders[1] and 5 < orders[0][::2].count("right") < 15


def test_what_is_read_once_is_counted(small):
    folder, run = small
    text = PAGE.format("Three words here", "1\n2").replace("{code-cell} python\n1", "{code-cell} python\n:tags: [hide-input]\n1")
    text += "\n```{code-cell} python\n3\n4\n```\n\nFour words of text.\n\n```{selfcheck}\nAsk?\n\n- (+) Yes\n\n  Never counted.\n```\n\n```{margin}\nNor this.\n```\n\n## ★ More\n\nOne.\n\n## Summary\n\nDone.\n\n## Exercises\n\nNone.\n"
    (folder / "book" / "alone.md").write_text(text)
    assert run()[0].returncode == 0
    page = (folder / "_build" / "html" / "book" / "alone.html").read_text()
    assert "10 words and 2 lines of code on the core path, 1 minutes; 1 more with ★." in page


def test_a_changed_style_reaches_the_pages_without_executing_anything(small):
    folder, run = small
    run()
    style = folder / "book" / "_static" / "book.css"
    style.write_text(style.read_text() + "\n.new{}\n")
    assert run()[1] == set()
    assert ".new{}" in (folder / "_build" / "html" / "_static" / "book.css").read_text()


def test_a_page_that_fails_is_named_and_fails_again(small):
    folder, run = small
    (folder / "book" / "alone.md").write_text(PAGE.format("Alone", "1 / 0"))
    for _ in "ab":
        done, _ = run("-n", "-W", "--keep-going")
        assert done.returncode != 0
        assert f"first page: {folder / '_build' / 'html' / 'index.html'}" in done.stdout
        assert "pages that failed: book/alone" in done.stdout
        assert (folder / "_build" / "html" / "book" / "plots.html").exists()


def test_a_warning_on_stderr_fails_a_strict_build(small):
    folder, run = small
    (folder / "book" / "alone.md").write_text(PAGE.format("Alone", "import warnings; warnings.warn('look')"))
    assert run("-n", "-W", "--keep-going")[0].returncode != 0


def test_a_pdf_has_bookmarks_open_folds_and_links_inside(small, tmp_path):
    if not (shutil.which("chromium") or shutil.which("google-chrome")):
        pytest.skip("no Chromium on this machine: apt install chromium")
    folder, run = small
    (folder / "_toc.yml").write_text("format: jb-book\nroot: book/index\nparts:\n- caption: The part\n  chapters:\n  - file: book/plots\n  - file: book/alone\n")
    (folder / "book" / "alone.md").write_text("(there)=\n# Alone\n\n## What is $W_{hh}$ like, if the heading is so long that it does not fit into one line of the page any more\n\n```{predict}\nWhat comes?\n```\n\nThe folded answer.\n")
    (folder / "book" / "index.md").write_text("# First\n\nSee {ref}`there`, and $x^2$.\n")
    assert run("-n", "-W")[0].returncode == 0
    found = PdfReader(printed(folder / "_build" / "html", tmp_path / "small.pdf", folder))
    flat = lambda items: [title for item in items for title in (flat(item) if isinstance(item, list) else [item.title])]  # noqa: E731
    assert flat(found.outline) == ["First", "The part", "Plots", "Alone", "What is W_hh like, if the heading is so long that it does not fit into one line of the page any more"]
    assert "The folded answer." in found.pages[-1].extract_text()
    assert any(link.get_object()["/Subtype"] == "/Link" for link in found.pages[0]["/Annots"])

"""What students get back: their graded notebook as a page, and the commented solution of a lab. The pages load nothing and run nothing foreign."""

import base64
import hashlib
import importlib.util
import logging
import re
import warnings
from html import escape
from pathlib import Path
from typing import ClassVar

import nbformat
from jinja2 import DictLoader
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbconvert.writers import FilesWriter
from nbformat.v4 import new_output
from nbgrader.converters import GenerateFeedback
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import NbGraderPreprocessor
from sqlalchemy.exc import SAWarning
from tqdm import tqdm

from rnncourse.checks import Exercise

from .gradebook import Class, late, verdicts
from .labs import Lab
from .notebooks import LATER

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"  # what a browser grants a page: no script, no network
LOCK = '<meta http-equiv="Content-Security-Policy" content="{}">'
WRAP = "<style>pre{white-space:pre-wrap!important;word-break:normal!important;overflow-wrap:anywhere}#toc ol{list-style:none}</style>"  # what a check says is one long line
PLAIN = '''{%- extends 'index.html.j2' -%}
{%- block html_head_js -%}{%- endblock -%}
{%- block html_head_js_mathjax -%}@HEAD@{%- endblock -%}
{%- block html_head_js_mermaidjs -%}{%- endblock -%}'''
MATHS = "MathJax = {tex: {inlineMath: [['$', '$']]}, options: {enableMenu: false}};\n"
QUIET = logging.getLogger(__name__)
QUIET.setLevel(logging.ERROR)  # nbgrader warns of each late submission


class TakeOutLater(NbGraderPreprocessor):
    """Leaves out what is handed back only after the deadline."""

    def preprocess_cell(self, cell, resources, index):
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if LATER not in output.get("metadata", {}).get("tags", [])]
        return cell, resources


class HeadingsAlone(NbGraderPreprocessor):
    """Leaves of the lab's own cells only its title and those of the exercises: the texts stand in the lab, where their formulas are set."""

    def preprocess(self, nb, resources):
        for cell in nb.cells:
            if cell.cell_type == "markdown" and cell.id != "report":
                cell.source = "\n\n".join(re.findall(r"^(?:# |## Exercise ).*$", cell.source, re.M))
        nb.cells = [cell for cell in nb.cells if cell.metadata.get("nbgrader") or cell.id.endswith("-added") or cell.cell_type == "markdown" and cell.source]
        return nb, resources


class ByHand(NbGraderPreprocessor):
    """Says so below a check whose mark a person has changed. Of what could not be graded, and has no such mark, only the reason is left."""

    def preprocess(self, nb, resources):
        resources["ungraded"] = nb.metadata.get("refused") and not resources["nbgrader"]["score"]
        if resources["ungraded"]:
            nb.cells = [cell for cell in nb.cells if cell.id == "report" or cell.source.startswith("# Lab")]
        return super().preprocess(nb, resources)

    def preprocess_cell(self, cell, resources, index):
        meta = cell.metadata
        if "earned" in meta and meta.nbgrader.score != meta.earned:
            cell.outputs.append(new_output("stream", name="stdout", text=f"With what was given by hand: {meta.nbgrader.score:g} of {meta.nbgrader.points:g} points.\n"))
        return cell, resources


class Page(HTMLExporter):
    """A page in which text is only text: HTML in it is shown, not obeyed. Its list of contents names the exercises."""

    exercises: ClassVar[dict[str, Exercise]] = {}

    def markdown2html(self, source):
        return MarkdownWithMath(renderer=IPythonRenderer(escape=True, allow_harmful_protocols=False, exclude_anchor_links=True)).render(source)

    def from_notebook_node(self, nb, resources=None, **options):
        page, resources = super().from_notebook_node(nb, resources, **options)
        if resources["ungraded"]:
            page = re.sub(r"\(Score: [\d./ ]+\)(?=</h4>)", "(not graded)", page, count=1)
        for name, exercise in self.exercises.items():
            title = f"{escape(exercise.title)}: {escape(name)}"
            page = page.replace(f'<a href="#check-{name}">Test cell</a>', f'<a href="#check-{name}">{title}</a>')
            page = page.replace(f'<a href="#comment-{name}">Comment</a>', f'<a href="#comment-{name}">{title}: comment</a>')
        return page, resources


def converter(group: Class, lab: Lab, deadline_passed: bool) -> GenerateFeedback:
    """nbgrader's own, with a page that is closed to scripts in place of the one that asks a CDN for them."""
    made = GenerateFeedback(CourseDirectory(config=group.config, root=str(group.folder)), config=group.config, log=QUIET)
    lock = DictLoader({"mathjax.html.j2": f"{{% macro mathjax(url='') %}}{LOCK.format(POLICY)}{WRAP}{{% endmacro %}}"})
    made.coursedir.assignment_id = lab.name
    made.writer = FilesWriter(parent=made, config=made.config)
    made.exporter = Page(parent=made, config=made.config, extra_loaders=[lock])
    made.exporter.exercises = lab.exercises
    for step in [HeadingsAlone, *([] if deadline_passed else [TakeOutLater]), *made.preprocessors, ByHand]:
        made.exporter.register_preprocessor(step)
    return made


def feedback(group: Class, lab: Lab, deadline_passed: bool = False) -> tuple[int, int]:
    """Write feedback/STUDENT/LAB/LAB.html for everyone who has handed in: the graded notebook, with marks and comments as they are now.

    Parameters
    ----------
    group : Class
    lab : Lab
    deadline_passed : bool
        Whether to show, for a wrong answer, the input that was drawn for this student.

    Returns
    -------
    int, int
        How many pages were written, and how many could not be: whose, and why, is printed.

    Raises
    ------
    ValueError
        If nothing of the lab is graded.
    """
    with group.book() as book:
        if not verdicts(book, lab.name):
            raise ValueError(f"nothing of {lab.name} is graded in {group.folder}: grade it first")
        late(book, group, lab.name)
        students = sorted(one.student.id for one in book.assignment_submissions(lab.name))
    made, failed = converter(group, lab, deadline_passed), {}
    for student in tqdm(students, unit=" pages", disable=None):
        try:
            convert(made, group.folder, student, lab.name)
        except Exception as error:  # whatever is wrong with one of them, the others get theirs
            failed[student] = f"{type(error).__name__}: {error}"[:300]
    for student, why in failed.items():
        print(f"no feedback for {student!r}: {why}")
    return len(students) - len(failed), len(failed)


def convert(made: GenerateFeedback, root: Path, student: str, lab: str) -> None:
    """One student's page; the old one goes first, so that none shows a mark that no longer holds."""
    if not student or Path(student).name != student or student == "..":
        raise ValueError("this student's id cannot name a folder; change it in the class list")
    (root / "feedback" / student / lab / f"{lab}.html").unlink(missing_ok=True)
    source = root / "autograded" / student / lab / f"{lab}.ipynb"
    if not source.is_file():
        raise FileNotFoundError(f"{source.relative_to(root)} is not there: grade {lab} again")
    with warnings.catch_warnings(action="ignore", category=SAWarning):  # of nbgrader's own queries
        made.convert_single_notebook(str(source))


def solution(lab: Lab, target: Path) -> Path:
    """Write the commented solution of a lab as one page that opens offline, with the known mistakes under each check.

    Parameters
    ----------
    lab : Lab
    target : Path
        The file to write.

    Returns
    -------
    Path
        The same.
    """
    notebook = nbformat.read(lab.folder / f"{lab.name}.ipynb", as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.source = re.sub(r"^[ \t]*### (?:BEGIN|END) SOLUTION[ \t]*\n?", "", cell.source, flags=re.M).rstrip()
            name = cell.metadata.get("nbgrader", {}).get("grade_id", "").removeprefix("check-")
            if name in lab.exercises and cell.metadata.nbgrader.grade:
                cell.outputs.append(new_output("display_data", data={"text/html": mistakes(lab.exercises[name])}))
    notebook.metadata.title = f"{lab.name}: solution"
    script = MATHS + mathjax()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    template = PLAIN.replace("@HEAD@", LOCK.format(f"{POLICY}; script-src 'sha256-{digest}'") + "<script></script>")
    page, _ = HTMLExporter(raw_template=template, extra_loaders=[DictLoader({"mermaidjs.html.j2": "{% macro mermaid_js(a, b) %}{% endmacro %}"})],
                           exclude_anchor_links=True, log=QUIET).from_notebook_node(notebook)  # fmt: skip
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(page.replace("<script></script>", f"<script>{script}</script>", 1), "utf8")
    return target


def mistakes(exercise: Exercise) -> str:
    """The bank of an exercise as a list that unfolds."""
    rows = "".join(f"<li>{escape(slip.says)}. <small>See {escape(slip.read)} in the book.</small></li>" for slip in exercise.slips)
    return f"<details><summary>{escape(exercise.title)}: what can go wrong ({len(exercise.slips)} known mistakes)</summary><ul>{rows}</ul></details>"


def mathjax() -> str:
    """The script that sets formulas and needs no other file.

    Raises
    ------
    RuntimeError
        If it is not installed.
    """
    found = importlib.util.find_spec("sphinx-mathjax-offline")
    if found is None:
        raise RuntimeError("MathJax is missing: pip install -r requirements.txt")
    return (Path(found.origin).parent / "static" / "mathjax" / "tex-svg.js").read_text("utf8")

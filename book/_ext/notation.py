"""``{notation} NAME``: one key equation in the letters of each of the four courses, in tabs that move together.

The forms are Python expressions in ``book/notation.yml``. They are printed as LaTeX with a course's table of symbols, and
evaluated by a test, so that what a tab shows is what was compared.
"""

import ast
from pathlib import Path

import yaml
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

DATA = Path(__file__).parent.parent / "notation.yml"
FUNCTIONS = {"tanh": r"\tanh", "sigmoid": r"\sigma", "softmax": r"\mathrm{softmax}", "diag": r"\mathrm{diag}", "exp": r"\exp", "log": r"\log", "min": r"\min"}


def load() -> dict:
    return yaml.safe_load(DATA.read_text("utf8"))


def latex(form: str, course: dict) -> str:
    """A statement such as ``h = tanh(x @ W)`` in the letters and signs of a course."""
    return _latex(ast.parse(form).body[0], course)


def _latex(node: ast.AST, course: dict, inside: type | None = None) -> str:
    """``inside`` is the operator around the node, which decides about brackets."""
    match node:
        case ast.Assign(targets=[left], value=right):
            return f"{_latex(left, course)} = {_latex(right, course)}"
        case ast.Name(id=name):
            return course["symbols"][name]
        case ast.Constant(value=value):
            return str(value)
        case ast.Attribute(value=value, attr="T"):
            return f"{_latex(value, course)}^{{\\top}}"
        case ast.Call(func=ast.Name(id="cat"), args=[first, second]):
            return course["concat"].format(_latex(first, course), _latex(second, course))
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return f"{FUNCTIONS[name]}({', '.join(_latex(argument, course) for argument in arguments)})"
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            return rf"\frac{{{_latex(left, course)}}}{{{_latex(right, course)}}}"
        case ast.BinOp(left=left, op=op, right=right):
            sign = {ast.Add: " + ", ast.Sub: " - ", ast.Mult: f" {course['times']} ", ast.MatMult: f" {course['product']} "}[type(op)]
            text = sign.join((_latex(left, course, type(op)), _latex(right, course, ast.Mult if isinstance(op, ast.Sub) else type(op))))
            looser = isinstance(op, ast.Add | ast.Sub) and inside in (ast.Mult, ast.MatMult)  # a - (b - c) needs brackets as a * (b - c) does
            return f"({text})" if looser else text
    raise ValueError(f"notation: no LaTeX for {ast.dump(node)}")


def evaluate(form: dict, values: dict):
    """The right-hand side of a form, with ``values`` for the course's own letters, after its "where" lines."""
    import torch

    names = {"tanh": torch.tanh, "sigmoid": torch.sigmoid, "softmax": lambda a: a.softmax(-1), "diag": torch.diag,
             "exp": torch.exp, "log": torch.log, "min": lambda a, b: b.clamp(max=a), "cat": lambda *parts: torch.cat(parts)} | values
    for name, expression in form.get("where", {}).items():
        names[name] = eval(expression, {}, names)  # our own data, not a reader's
    return eval(form["form"].split("=", 1)[1].strip(), {}, names)


class Notation(SphinxDirective):
    required_arguments = 1

    def run(self):
        data = load()
        self.env.note_dependency(str(DATA))
        lines = ["::::{tab-set}", ":sync-group: course", ""]
        for key, form in data["equations"][self.arguments[0]].items():
            course = data["courses"][key]
            lines += [f":::{{tab-item}} {course['name']}", f":sync: {key}", "", f"$$ {latex(form['form'], course)} $$", ""]
            lines += [form.get("says", ""), "", ":::"]
        holder = nodes.container()
        self.state.nested_parse(StringList([*lines, "::::"], source=str(DATA)), self.content_offset, holder)
        return holder.children


def setup(app):
    app.add_directive("notation", Notation)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

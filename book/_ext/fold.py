"""Two directives for a reader who thinks first: ``predict`` and ``selfcheck``. Neither needs a kernel or JavaScript.

``predict`` asks a question and folds what follows it, to the end of its section::

    ```{predict}
    Does the gradient grow or fade?
    ```

``selfcheck`` is a multiple-choice question with an explanation for every choice; (+) marks the right ones::

    ```{selfcheck}
    What is $2^3$?

    - (-) 6

      That is $2 \\cdot 3$.
    - (+) 8

      Three factors of 2.
    ```

Its choices are shuffled, the same way in every build, so that where the right one stands says nothing.
"""

import random
import zlib

from docutils import nodes
from sphinx.util.docutils import SphinxDirective


class box(nodes.General, nodes.Element):
    """A <div>."""


class details(nodes.General, nodes.Element):
    """A <details>, open where nothing closes it."""


class summary(nodes.TextElement):
    """Its <summary>."""


class Predict(SphinxDirective):
    has_content = True

    def run(self):
        asked = box("", classes=["predict"])
        self.state.nested_parse(self.content, self.content_offset, asked)
        asked[0].insert(0, [nodes.strong("", "Predict."), nodes.Text(" ")])
        return [asked]


class SelfCheck(SphinxDirective):
    has_content = True

    def run(self):
        asked = box("", classes=["selfcheck"])
        self.state.nested_parse(self.content, self.content_offset, asked)
        lists = [node for node in asked.children if isinstance(node, nodes.bullet_list)]
        if len(lists) != 1:
            raise self.error("selfcheck: expected one list of choices")
        asked["check"] = zlib.crc32(asked.astext().encode())  # a changed question is a new one
        choices = [self.choice(item) for item in lists[0].children]
        random.Random(asked["check"]).shuffle(choices)
        lists[0].replace_self(choices)
        if not any(node.get("right") for node in asked.findall(details)):
            raise self.error("selfcheck: no choice is marked (+)")
        return [asked]

    def choice(self, item: nodes.list_item) -> details:
        head, *why = item.children
        mark, first = head.astext()[:4], head[0]
        if mark not in ("(+) ", "(-) ") or not why:
            raise self.error("selfcheck: a choice starts with (+) or (-) and is followed by an explanation")
        head.replace(first, nodes.Text(first.astext()[4:]))
        chosen = details("", right=mark == "(+) ", classes=["right" if mark == "(+) " else "wrong"])
        label = summary("", "", *head.children)
        label.source, label.line, label.rawsource = head.source, head.line, head.rawsource
        chosen += [label, *why]
        return chosen


def fold(app, doctree) -> None:
    """Move what follows a prediction, up to the end of its section, into a fold of its own."""
    for asked in [node for node in doctree.findall(box) if "predict" in node["classes"]]:
        siblings = asked.parent.children
        start = siblings.index(asked) + 1
        end = next((i for i in range(start, len(siblings)) if isinstance(siblings[i], nodes.section)), len(siblings))
        folded = details("", classes=["fold"], open=True)
        folded += [summary("", "", nodes.Text("What happens")), *siblings[start:end]]
        asked.parent.children[start:end] = [folded]
        folded.parent = asked.parent


def tag(name: str):
    def visit(self, node):
        more = {"open": "open"} if node.get("open") else {"data-check": str(node["check"])} if node.get("check") else {}
        self.body.append(self.starttag(node, name, "", **more))

    return visit, lambda self, node: self.body.append(f"</{name}>\n")


def setup(app):
    plain = (lambda self, node: None, lambda self, node: None)
    for node, name in ((box, "div"), (details, "details"), (summary, "summary")):
        app.add_node(node, html=tag(name), latex=plain, text=plain)
    app.add_directive("predict", Predict)
    app.add_directive("selfcheck", SelfCheck)
    app.connect("doctree-read", fold)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

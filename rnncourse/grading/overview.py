"""A class at a glance: one page with the marks, what went wrong, and which exercises tell the students apart."""

from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from rnncourse import plots
from rnncourse.checks import Exercise

from .feedback import LOCK, POLICY
from .gradebook import Class, by_hand, verdicts
from .grade import earned
from .labs import Lab

OUTCOMES = {"right": plots.COLOURS[2], "not right": plots.COLOURS[1], "not done": plots.COLOURS[5], "not run": plots.COLOURS[4]}
FEW, HIGH = 20, 40  # submissions, below which no correlation is shown; dots, above which a column of them is drawn as a bar
EXPLAINED = """<em>Discrimination</em> is the correlation between getting an exercise right and the points in all the <em>other</em> exercises
(point-biserial, on the rest score). Well above 0, the exercise is solved by those who solve the rest. Near 0, it asks for something else, or for luck.
Below 0, something is odd about it. Where nearly all or nearly none are right, it says little.
In the plots, each submission is a dot (in large classes, columns of dots are bars)."""
ALONE = f"Discrimination, how well an exercise tells the students apart, is not worked out for fewer than {FEW} submissions. In the plot above, each student is a dot."
STYLE = """body {max-width: 46rem; margin: 2rem auto; padding: 0 1rem; font: 1rem/1.5 sans-serif; color-scheme: light dark; background: Canvas; color: CanvasText}
svg {max-width: 100%; height: auto} table {border-collapse: collapse} td, th {padding: .2rem .8rem .2rem 0; text-align: left; vertical-align: top}
td.n, th.n {text-align: right; font-variant-numeric: tabular-nums} meter {width: 6rem} .warn {border-left: .3rem solid #cf6a26; padding-left: .7rem}"""


def page(group: Class, lab: Lab, target: Path) -> Path:
    """Write the page: it needs no network and no script, and names nobody but those whose notebook could not be graded.

    Parameters
    ----------
    group : Class
    lab : Lab
    target : Path
        The file to write.

    Returns
    -------
    Path
        The same.
    """
    with group.book() as book:
        found = verdicts(book, lab.name)
        handed = {one.student.id: one for one in book.assignment_submissions(lab.name)}
        hand = {student for student, one in handed.items() if by_hand(one)}
        totals = [one.score for student, one in handed.items() if student in hand or not found.get(student, {"refused": "?"})["refused"]]
    judged, most = distinct(found), sum(exercise.points for exercise in lab.exercises.values())
    parts = [head(lab, found, judged), *refused(found)]
    if judged:
        many = len(judged) >= FEW
        parts += [*marks(totals, most, len(hand)), *outcomes(judged, lab), f"<h2>One by one</h2><p>{EXPLAINED if many else ALONE}</p>"]
        for name, exercise in lab.exercises.items():
            parts += [f"<h2>{escape(exercise.title)}: {escape(name)}</h2>", *mistakes(judged, name, exercise), *(apart(judged, name) if many else [])]
    target.parent.mkdir(parents=True, exist_ok=True)
    title = f"{escape(lab.name)}: the class"
    top = f'<meta charset="utf-8">{LOCK.format(POLICY)}<meta name="viewport" content="width=device-width"><title>{title}</title><style>{STYLE}</style>'
    body = "\n".join([f"<h1>{title}</h1>", *parts])
    target.write_text(f'<!doctype html>\n<html lang="en"><head>{top}</head>\n<body><main>{body}</main></body></html>\n', "utf8")
    return target


# ---- the numbers


def distinct(found: dict[str, dict]) -> list[dict]:
    """The verdicts that count in shares: on what could be graded, and a file of several students once."""
    return list({one["digest"]: one for one in found.values() if not one["refused"]}.values())


def outcome(mark: dict) -> str:
    """How an exercise ended: a key of `OUTCOMES`."""
    if mark["right"]:
        return "right"
    if mark["how"] != "done":
        return "not run"
    return "not done" if mark["says"] == "not done yet" else "not right"


def seen(judged: Sequence[dict], name: str, exercise: Exercise) -> list[tuple[str, int]]:
    """The known mistakes in the answers to an exercise, in words, with how many make them; the most frequent first."""
    says = {slip.switch: slip.says for slip in exercise.slips}
    counts = Counter(switch for one in judged for switch in set(one["marks"].get(name, {"slips": ()})["slips"]))
    return [(says[switch], n) for switch, n in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])) if switch in says]


def rest(judged: Sequence[dict], name: str) -> tuple[list[bool], list[float]]:
    """Of each submission, whether an exercise is right, and the points of all the other exercises."""
    some = [one for one in judged if name in one["marks"]]
    return [one["marks"][name]["right"] for one in some], [earned(one) - one["marks"][name]["earned"] for one in some]


def discrimination(right: Sequence[bool], others: Sequence[float]) -> float | None:
    """The point-biserial correlation of being right with the points elsewhere; None where either is the same for all.

    Parameters
    ----------
    right : sequence of bool, length n
    others : sequence of float, length n
    """
    if len(set(right)) < 2 or len(set(others)) < 2:
        return None
    return float(np.corrcoef(np.asarray(right, float), others)[0, 1])


# ---- the page


def head(lab: Lab, found: dict[str, dict], judged: Sequence[dict]) -> str:
    """What was counted."""
    graded = sum(not one["refused"] for one in found.values())
    same = f" Equal files, as those of pairs, count once in the shares, which are of {len(judged)} submissions." if graded > len(judged) else ""
    few = f'<p class="warn">With fewer than {FEW} submissions, shares are mostly chance.</p>' if 0 < len(judged) < FEW else ""
    return (f"<p>Students who have handed in: {len(found)}; notebooks that could be graded: {graded}.{same} Totals are those of the gradebook, "
            f"with marks by hand and without late penalties; all else is what the automatic marks say.</p>{few}")  # fmt: skip


def refused(found: dict[str, dict]) -> list[str]:
    """Whose notebook could not be graded, by reason."""
    reasons: dict[str, list[str]] = {}
    for student, one in found.items():
        if one["refused"]:
            reasons.setdefault(one["refused"], []).append(student)
    rows = "".join(f"<li>{escape(why)}: {escape(', '.join(students))}</li>" for why, students in sorted(reasons.items()))
    return ["<h2>Not graded</h2>", f"<ul>{rows}</ul>"] if reasons else []


def marks(totals: Sequence[float], most: float, hand: int) -> list[str]:
    """The distribution of the totals."""
    low, middle, high = np.percentile(totals, [25, 50, 75])
    said = f"Median {middle:g} of {most:g} points; half of the class has {low:g} to {high:g}; the lowest total is {min(totals):g}, the highest {max(totals):g}."
    told = f" Students with a mark or extra credit given by hand: {hand}." if hand else ""
    return ["<h2>Totals</h2>", f"<p>{said}{told}</p>", plots.svg(stacks({"": totals}, "points", most), f"The totals of {len(totals)} students. {said}")]


def outcomes(judged: Sequence[dict], lab: Lab) -> list[str]:
    """How each exercise ended, as bars and as a table."""
    counts = {name: Counter(outcome(one["marks"][name]) for one in judged if name in one["marks"]) for name in lab.exercises}
    rows = "".join(f"<tr><td>{escape(lab.exercises[name].title)}</td><td>{escape(name)}</td>"
                   + "".join(f'<td class="n">{share(count[key], count.total())}</td>' for key in OUTCOMES) + "</tr>" for name, count in counts.items())  # fmt: skip
    top = "".join(f'<th class="n">{key}</th>' for key in OUTCOMES)
    return ["<h2>Exercises</h2>", plots.svg(bars(counts), "How each exercise ended, as bars: the shares that the table below lists."),
            f"<table><tr><th></th><th></th>{top}</tr>{rows}</table>", "<p><em>Not run</em>: the answer did not end, or its process did. One that raises an error is <em>not right</em>.</p>"]  # fmt: skip


def mistakes(judged: Sequence[dict], name: str, exercise: Exercise) -> list[str]:
    """The known mistakes that were seen."""
    rows = [f'<tr><td><meter min="0" max="{len(judged)}" value="{n}" aria-label="share"></meter></td><td class="n">{share(n, len(judged))}</td>'
            f"<td>{escape(says)}</td></tr>" for says, n in seen(judged, name, exercise)]  # fmt: skip
    return [f"<h3>Known mistakes</h3><table>{''.join(rows)}</table>"] if rows else ["<p>No known mistake was seen.</p>"]


def apart(judged: Sequence[dict], name: str) -> list[str]:
    """Whether an exercise tells the students apart."""
    right, others = rest(judged, name)
    r = discrimination(right, others)
    if r is None:
        why = "all answers are right" if all(right) else "no answer is right" if not any(right) else "all have the same points elsewhere"
        return [f"<h3>Discrimination</h3><p>Not defined: {why}.</p>"]
    means = ("those who get it right have more points elsewhere, too" if r > 0.1 else "being right here says next to nothing about the points elsewhere" if r > -0.1
             else "those who get it right have <em>fewer</em> points elsewhere: read its text and its check once more")  # fmt: skip
    rows = {key: [x for x, ok in zip(others, right) if ok is flag] for key, flag in (("not right", False), ("right", True))}
    alt = "; ".join(f"{key}: {len(x)} submissions, median {np.median(x):g} points in the other exercises" for key, x in rows.items())
    return [f"<h3>Discrimination</h3><p>The correlation of being right with the points in the other exercises is {r:.2f}: {means}.</p>",
            plots.svg(stacks(rows, "points in the other exercises", max(others)), alt)]  # fmt: skip


def share(n: int, of: int) -> str:
    """A part in per cent."""
    return f"{n / of:.0%}" if of else "–"


def stacks(rows: dict[str, Iterable[float]], xlabel: str, most: float) -> Figure:
    """A dot for each value, equal ones on top of each other, in an axes for each row; bars where the columns would be too high."""
    counts = {key: Counter(round(float(x) * 2) / 2 for x in values) for key, values in rows.items()}
    high = max(max(count.values()) for count in counts.values())
    with plots.plt.rc_context(plots.STYLE):
        size = (6.4, 0.7 + len(rows) * (1.5 if high > HIGH else 0.2 + 0.11 * min(max(high, 4), 25)))
        fig, column = plots.plt.subplots(len(rows), 1, figsize=size, layout="constrained", squeeze=False, sharex=True)
        for ax, (key, count) in zip(column[::-1, 0], counts.items()):
            colour = OUTCOMES.get(key, plots.COLOURS[0])
            if high > HIGH:
                ax.bar(list(count), list(count.values()), width=0.4, color=colour)
            else:
                ax.scatter(*zip(*[(x, i + 0.5) for x, n in count.items() for i in range(n)]), s=min(30, 900 / high), color=colour)
                ax.set_yticks([])
            ax.set(xlim=(-0.5, most + 0.5), ylim=(0, max(high, 4) + 0.5), ylabel=key)
        column[-1, 0].set_xlabel(xlabel)
        column[-1, 0].xaxis.set_major_locator(MaxNLocator(integer=True))
    return fig


def bars(counts: dict[str, Counter]) -> Figure:
    """How each exercise ended, one bar each."""
    fig, (ax,) = plots.axes(width=6.4, height=0.9 + 0.3 * len(counts))
    with plots.plt.rc_context(plots.STYLE):
        left = np.zeros(len(counts))
        for key, colour in OUTCOMES.items():
            width = np.array([100 * count[key] / max(count.total(), 1) for count in counts.values()])
            ax.barh(list(counts), width, left=left, color=colour, label=key)
            left += width
        ax.invert_yaxis()
        ax.set(xlim=(0, 100), xlabel="% of the submissions")
        fig.legend(loc="outside upper center", ncols=len(OUTCOMES))
    return fig

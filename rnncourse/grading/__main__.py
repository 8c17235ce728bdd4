"""The instructor's commands: ``python -m rnncourse.grading COMMAND --help``."""

import argparse
import os
import sys
from datetime import datetime
from multiprocessing import forkserver
from pathlib import Path

DESCRIPTION = """Release the labs, collect what a class hands in, grade it in a sandbox, return feedback and export marks.
A class's data live in a folder outside of the course's own (CLASS). The instructor's guide, a part of the book, tells the whole way."""
EPILOG = """exit status: 0 if all went well; 1 if something was left (files that belong to nobody, submissions that could not be graded): it is listed;
2 if nothing could be done, with the reason"""


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    made = argparse.ArgumentParser(prog="python -m rnncourse.grading", description=DESCRIPTION, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name, does, klass=True, lab=True, to=""):
        one = commands.add_parser(name, help=does, description=f"{does[0].upper()}{does[1:]}.")
        if klass:
            one.add_argument("--class", dest="group", metavar="CLASS", type=path, required=True, help="the class's folder, outside of the course's")
        if lab:
            one.add_argument("lab", metavar="LAB", help="such as unfold")
        if to:
            one.add_argument("--to", metavar="FILE", type=path, help=f"the file to write ({to})")
        return one

    one = command("release", "make the zip for students: labs, package, and the rendered book", klass=False, lab=False, to="_build/rnn-course.zip")
    one.add_argument("--book", metavar="DIR", type=path, default=Path("_build/html"), help="the rendered book (%(default)s)")
    one = command("collect", "put what students handed in where the grader finds it")
    one.add_argument("source", metavar="FROM", type=path, help="a folder, or the zip of a learning platform")
    one.add_argument("--roster", metavar="CSV", type=path, help="the platform's class list")
    one.add_argument("--pairs", metavar="CSV", type=path, help="who works together, a pair a line: the mark of one file goes to both")
    options_of_grade(command("grade", "grade what is not graded yet"))
    command("look", "open formgrader, for marks and comments by hand", lab=False)
    one = command("feedback", "make the pages that students get back")
    one.add_argument("--after-deadline", dest="deadline_passed", action="store_true", help="with one input on which the answer is wrong, drawn for each student")
    one = command("marks", "export the marks as CSV", lab=False, to="marks-FORM.csv in the class's folder")
    one.add_argument("labs", metavar="LAB", nargs="*", help="all if none is named")
    one.add_argument("--form", choices=["moodle", "canvas", "plain"], default="plain", help="for which platform (%(default)s)")
    command("statistics", "make a page on how the class did", to="statistics-LAB.html in the class's folder")
    command("solution", "make a page of the commented solution", klass=False, to="_build/solution-LAB.html")
    return made


def options_of_grade(one: argparse.ArgumentParser) -> None:
    """How a class is graded."""
    one.add_argument("--jobs", metavar="N", type=positive, default=os.cpu_count(), help="workers of this machine (as many as it has cores: %(default)s)")
    one.add_argument("--dask", metavar="ADDRESS", dest="scheduler", help="use the workers of this Dask scheduler, such as tcp://10.0.0.1:8786, which hold the course too")
    one.add_argument("--due", metavar="TIME", type=deadline, help='the deadline, in UTC if it names no zone, such as "2026-11-30 22:00"')
    one.add_argument("--again", action="store_true", help="grade anew what was graded with another version of the lab, or if nothing was, all; tell whose mark changes, by how much and why")
    one.add_argument("--unsafe", action="store_true", help="without a sandbox: every submission runs with your rights and reads your files")


def path(text: str) -> Path:
    """A path, also where the shell has left ~ in it."""
    return Path(text).expanduser()


def deadline(text: str) -> datetime:
    """A time; a day alone would be its first minute."""
    from .sources import when

    try:
        if (time := when(text)) is None:
            raise ValueError("expected a time")
        return time
    except ValueError as why:
        raise argparse.ArgumentTypeError(str(why)) from None


def positive(text: str) -> int:
    """A number of workers."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"expected a number, at least 1; got {text!r}")
    return int(text)


def done(chosen: argparse.Namespace) -> int:
    """Do what was chosen. What each command needs is imported only for it: workers of the grader start this file too."""
    if chosen.command == "grade" and not chosen.scheduler:  # the process of which workers are forks imports what they need while this one imports nbgrader
        forkserver.set_forkserver_preload(["rnncourse.grading.workers"])
        forkserver.ensure_running()
    from .labs import COURSE, Lab

    if chosen.command == "release":
        from .release import release

        print(release(COURSE, chosen.book, chosen.to or Path("_build/rnn-course.zip")))
        return 0
    lab = Lab(chosen.lab) if "lab" in chosen else None
    if chosen.command == "solution":
        from .feedback import solution

        print(solution(lab, chosen.to or Path(f"_build/solution-{lab.name}.html")))
        return 0
    return of_class(chosen, lab)


def of_class(chosen: argparse.Namespace, lab: object) -> int:
    """Do what was chosen for a class."""
    from .gradebook import Class

    if chosen.command == "collect":
        return collected(chosen, lab)
    group = Class.at(chosen.group, new=False)
    if chosen.command == "look":
        os.chdir(group.folder)
        root = ["--allow-root"] * (os.geteuid() == 0)  # Jupyter asks for it
        os.execv(sys.executable, [sys.executable, "-m", "jupyter", "lab", "--LabApp.default_url=/formgrader", *root])
    if chosen.command == "grade":
        from .grade import grade

        return grade(group, lab, chosen.jobs, chosen.again, chosen.unsafe, chosen.scheduler, chosen.due)
    if chosen.command == "feedback":
        from .feedback import feedback

        pages, failed = feedback(group, lab, chosen.deadline_passed)
        print(f"{pages} pages in {group.folder / 'feedback'}")
        return int(failed > 0)
    if chosen.command == "marks":
        from .marks import marks

        print(marks(group, chosen.labs or None, chosen.form, chosen.to or group.folder / f"marks-{chosen.form}.csv"))
    else:
        from .overview import page

        print(page(group, lab, chosen.to or group.folder / f"statistics-{lab.name}.html"))
    return 0


def collected(chosen: argparse.Namespace, lab: object) -> int:
    """Collect; a class begins with it."""
    from .collect import collect, report
    from .gradebook import Class

    if not chosen.source.exists():
        raise ValueError(f"{chosen.source} is not there")
    found = collect(Class.at(chosen.group), lab, chosen.source, chosen.roster, chosen.pairs)
    print(report(found))
    return int(bool(found.unmatched or found.refused))


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit status."""
    chosen = parser().parse_args(arguments)
    try:
        return done(chosen)
    except (ValueError, RuntimeError, OSError) as why:
        print(f"{chosen.command}: {why}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped. What is graded is kept; the same command goes on.", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())

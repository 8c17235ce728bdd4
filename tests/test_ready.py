"""``python -m rnncourse``: what it finds ready, what it asks for; and the pins of the student's packages."""

import ast
import importlib.metadata
import platform
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import rnncourse
from rnncourse import __main__ as ready

ROOT = Path(__file__).parents[1]


@pytest.fixture
def fine(monkeypatch):
    """All packages there, no kernel started."""
    monkeypatch.setattr(ready, "kernel", lambda: ("a kernel starts", ""))


def pins(file):
    lines = [line.strip() for line in (ROOT / file).read_text("utf8").splitlines() if line.strip() and not line.startswith("#")]
    return dict(line.partition("==")[::2] for line in lines)


def test_on_this_machine_everything_is_ready(fine, capsys):
    assert ready.main([]) == 0
    said = capsys.readouterr().out
    assert "NOT YET" not in said and said.endswith("This machine is ready for the labs.\n")
    assert all(f"ready    {name} " in said for name, _, _ in ready.PACKAGES)


@pytest.mark.slow
def test_a_kernel_starts_and_finds_the_course():
    assert ready.kernel() == ("a kernel starts and finds rnncourse", "")


@pytest.mark.parametrize("missing", [name for name, _, _ in ready.PACKAGES])
def test_a_missing_package_is_named_with_its_pip_line(fine, missing, monkeypatch, capsys):
    version = importlib.metadata.version

    def lacking(name):
        if name == missing:
            raise importlib.metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(importlib.metadata, "version", lacking)
    assert ready.main([]) == 1
    said = capsys.readouterr().out
    assert f"NOT YET  {missing} is missing\n         do this: python -m pip install {missing}" in said
    assert "-r requirements-labs.txt" in said and "later    the kernel" in said


def test_an_old_package_is_named(fine, monkeypatch, capsys):
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "1.9.12" if name == "torch" else "99")
    assert ready.main([]) == 1
    assert "NOT YET  torch 1.9.12 is older than 2.2.2" in capsys.readouterr().out


def test_a_package_that_cannot_be_imported_is_named_with_the_reason(fine, monkeypatch, capsys):
    def broken(name):
        if name == "torch":
            raise OSError("[WinError 126] The specified module could not be found: fbgemm.dll")

    monkeypatch.setattr(importlib, "import_module", broken)
    monkeypatch.setattr(platform, "system", lambda: "Windows")
    assert ready.main([]) == 1
    said = capsys.readouterr().out
    assert "cannot be imported (OSError: [WinError 126]" in said and "Visual C++" in said


@pytest.mark.parametrize("minor,fits", [(10, False), (11, True), (12, True), (13, True), (14, False)])
def test_python_from_3_11_to_3_13_will_do(minor, fits, monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, minor, 4))
    assert (ready.python()[1] == "") == fits


@pytest.mark.parametrize("system,machine,line", [
    ("Windows", "AMD64", "python -m pip install torch"),
    ("Darwin", "arm64", "python -m pip install torch"),
    ("Darwin", "x86_64", 'python -m pip install torch==2.2.2 "numpy<2"'),
    ("Linux", "x86_64", "python -m pip install torch --extra-index-url https://download.pytorch.org/whl/cpu")])  # fmt: skip
def test_the_pip_line_is_that_of_the_operating_system(system, machine, line, monkeypatch):
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    assert ready.pip("torch") == line
    assert ready.pip("Faker") == "python -m pip install Faker"


def test_a_kernel_of_another_python_is_named(monkeypatch):
    import nbclient

    def elsewhere(self):
        self.nb.cells[0].outputs = [{"output_type": "stream", "name": "stdout", "text": "/some/other/python\n0.1.0\n"}]

    monkeypatch.setattr(nbclient.NotebookClient, "execute", elsewhere)
    assert ready.kernel()[0] == "the kernel runs another Python, in /some/other/python"


def test_a_course_that_is_not_installed_is_named(monkeypatch):
    import nbclient

    def without(self):
        self.nb.cells[0].outputs = [{"output_type": "stream", "name": "stdout", "text": f"{sys.prefix}\n"}]

    monkeypatch.setattr(nbclient.NotebookClient, "execute", without)
    assert ready.kernel()[1].endswith("python -m pip install -e .")


def test_nothing_but_the_standard_library_is_needed_to_say_what_is_missing():
    done = subprocess.run([sys.executable, "-S", "-m", "rnncourse"], cwd=ROOT, capture_output=True, text=True)  # -S: no packages
    assert done.returncode == 1 and done.stderr == "", done.stderr
    assert all(f"NOT YET  {name} is missing" in done.stdout for name, _, _ in ready.PACKAGES)


def test_importing_the_package_alone_imports_no_other():
    code = "import sys, rnncourse; sys.exit(bool({'torch', 'numpy', 'matplotlib', 'IPython'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


@pytest.mark.parametrize("name", ["__init__.py", "__main__.py"])
def test_an_old_python_can_read_what_tells_it_that_it_is_old(name):
    ast.parse((ROOT / "rnncourse" / name).read_text("utf8"), feature_version=(3, 8))


def test_help_is_there(capsys):
    with pytest.raises(SystemExit, match="0"):
        ready.main(["--help"])
    assert "exit status is 0 if all is ready" in " ".join(capsys.readouterr().out.split())


# Versions


@pytest.mark.parametrize("older,newer", [("0.9", "0.10"), ("0.1", "0.1.1"), ("2.2.2+cpu", "2.13.0"), ("1.26.4", "2.0")])
def test_versions_are_compared_as_numbers(older, newer):
    assert rnncourse.numbers(older) < rnncourse.numbers(newer)


def test_zeros_at_the_end_and_local_labels_do_not_count():
    assert rnncourse.numbers("0.1") == rnncourse.numbers("0.1.0") == rnncourse.numbers("0.1.0+cpu9")


def test_a_lab_for_a_newer_course_says_what_to_do(monkeypatch):
    monkeypatch.setattr(rnncourse, "__version__", "0.9.1")
    for version in ("0.1", "0.9", "0.9.1"):
        rnncourse.needs(version)
    with pytest.raises(RuntimeError, match=r"needs rnncourse 0\.10 or newer, and 0\.9\.1 .*requirements-labs\.txt"):
        rnncourse.needs("0.10")


def test_the_version_is_stated_once_for_pip_and_once_for_the_labs_and_both_agree():
    assert tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["project"]["version"] == rnncourse.__version__


# The student's packages


def test_students_and_instructors_have_the_same_versions():
    theirs, ours = pins("requirements-labs.txt"), pins("requirements.txt")
    assert {name: ours.get(name) for name in theirs} == theirs
    assert {"torch", "numpy", "matplotlib", "ipywidgets", "jupyterlab", "Faker", "tensorboard", "sentencepiece", "pooch", "tqdm", "-e ."} == set(theirs)


def test_the_oldest_versions_are_those_of_the_package():
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["project"]["dependencies"]
    oldest = dict(re.split(">=", line) for line in dependencies)
    for name, _, version in ready.PACKAGES:
        assert oldest.get(name.lower(), version) == version

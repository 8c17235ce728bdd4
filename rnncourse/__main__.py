"""Say line by line whether this machine is ready for the labs, and what to do where it is not: ``python -m rnncourse``."""

# It has to run where nothing else does: the standard library only, and the syntax of old Pythons.
import argparse
import asyncio
import importlib
import importlib.metadata
import platform
import sys
import tempfile
import textwrap

from . import __version__, numbers

PYTHON = ((3, 11), (3, 13))
# The package on pip, the module that it brings, and the oldest version that does.
PACKAGES = (
    ("torch", "torch", "2.2.2"),
    ("numpy", "numpy", "1.26"),
    ("matplotlib", "matplotlib", "3.8"),
    ("ipywidgets", "ipywidgets", "8.1"),
    ("jupyterlab", "jupyterlab", "4.0"),
    ("ipykernel", "ipykernel", "6.0"),
    ("nbclient", "nbclient", "0.10"),
    ("Faker", "faker", "40.54.0"),
    ("tensorboard", "tensorboard", "2.17"),
    ("sentencepiece", "sentencepiece", "0.2"),
    ("pooch", "pooch", "1.8"),
    ("tqdm", "tqdm", "4.66"),
)
CPU = " --extra-index-url https://download.pytorch.org/whl/cpu"  # spares Linux the gigabytes of CUDA


def pip(what: str) -> str:
    """The pip line for this operating system."""
    system, machine = platform.system(), platform.machine()
    if "torch" in what and (system, machine) == ("Darwin", "x86_64"):
        what = 'torch==2.2.2 "numpy<2"'  # the last that were built for Intel Macs
    return "python -m pip install " + what + (CPU if system == "Linux" and ("torch" in what or "-r" in what) else "")


def python() -> tuple:
    """(what was found, what to do or "") for Python itself."""
    found = "Python " + platform.python_version()
    if PYTHON[0] <= sys.version_info[:2] <= PYTHON[1]:
        return found, ""
    low, high = (".".join(map(str, version)) for version in PYTHON)
    return found, f"install a Python from {low} to {high} (python.org/downloads), make a new environment with it and begin again"


def package(name: str, module: str, oldest: str) -> tuple:
    """(what was found, what to do or "") for one package: whether it is there, recent enough, and can be imported."""
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return name + " is missing", pip(name)
    if numbers(version) < numbers(oldest):
        return f"{name} {version} is older than {oldest}", pip("--upgrade " + name)
    try:
        importlib.import_module(module)
    except Exception as error:  # whatever stops it: a missing library of the system, a broken file, two packages that do not fit
        again = pip("--force-reinstall " + name)
        if isinstance(error, OSError) and platform.system() == "Windows":
            again += "\nand, if it stays so, install the Microsoft Visual C++ Redistributable (x64)"
        return f"{name} {version} cannot be imported ({type(error).__name__}: {str(error)[:200]})", again
    return f"{name} {version}", ""


def kernel() -> tuple:
    """(what was found, what to do or "") for the kernel: whether it starts, runs this Python and finds this package."""
    try:
        from nbclient import NotebookClient
        from nbformat.v4 import new_code_cell, new_notebook

        if sys.platform == "win32":  # the kernel's sockets want this kind of event loop
            asyncio.set_event_loop_policy(asyncio.WindowsSelectorEventLoopPolicy())
        notebook = new_notebook(cells=[new_code_cell("import sys\nprint(sys.prefix)\nimport rnncourse\nprint(rnncourse.__version__)")])
        with tempfile.TemporaryDirectory() as elsewhere:  # not in the folder of the course, where it would be found by chance
            options = {"timeout": 60, "kernel_name": "python3", "allow_errors": True, "shutdown_kernel": "immediate"}
            NotebookClient(notebook, resources={"metadata": {"path": elsewhere}}, extra_arguments=["--Application.log_level=ERROR"],
                           **options).execute()
    except Exception as error:
        return f"the kernel does not start ({type(error).__name__}: {str(error)[:200]})", pip("--force-reinstall ipykernel")
    said = "".join(output.get("text", "") for output in notebook.cells[0].outputs).split("\n")
    if said[0] != sys.prefix:
        return f"the kernel runs another Python, in {said[0]}", "python -m ipykernel install --sys-prefix --name python3"
    if said[1] != __version__:
        return "the kernel does not find rnncourse " + __version__, "in the folder of the course: python -m pip install -e ."
    return "a kernel starts and finds rnncourse", ""


def main(arguments: list = None) -> int:
    """Print a line for each thing that a lab needs; return 0 if all are there."""
    parser = argparse.ArgumentParser(prog="python -m rnncourse", description="Say line by line whether this machine is ready for the labs, "
                                     "and what to do where it is not. The exit status is 0 if all is ready, 1 if not.")
    parser.parse_args(arguments)
    sys.stdout.reconfigure(errors="replace")
    print(f"ready    rnncourse {__version__}")
    checks = [python, *(lambda which=which: package(*which) for which in PACKAGES), kernel]
    undone = 0
    for check in checks:
        if check is kernel and undone:
            print("later    the kernel: it is tried as soon as the rest is ready")
            break
        found, todo = check()
        undone += bool(todo)
        print(("NOT YET  " if todo else "ready    ") + found, flush=True)
        if todo:
            print(textwrap.indent("do this: " + todo, "         "))
    if undone:
        print(f"Not ready: {undone} of {len(checks)}. For everything at once, in the folder of the course:\n"
              f"         {pip('-r requirements-labs.txt')}")
    else:
        print("This machine is ready for the labs.")
    return int(undone > 0)


if __name__ == "__main__":
    sys.exit(main())

"""The lower bounds of pyproject.toml, each installed as it stands: what an Intel Mac can get, on the student's path."""

import os
import subprocess
import sys
import tomllib
import venv

import pytest

from rnncourse.results import root

PATH = ["test_cells.py", "test_unfold.py", "test_gradients.py", "test_plots_and_demos.py", "test_checks.py", "test_corpora.py", "test_lab_unfold.py",
        "test_training.py", "test_tasks.py", "test_lab_gradients.py", "test_lab_gates.py",
        "test_text.py", "test_metrics.py", "test_models.py", "test_logs.py", "test_lab_language.py",
        "test_decoding.py", "test_bilingual.py", "test_translation.py", "test_lab_decoding.py", "test_lab_translation.py"]


@pytest.mark.slow
@pytest.mark.check
@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="the oldest versions have wheels for the oldest Python alone")
def test_the_students_path_runs_at_every_lower_bound(tmp_path):
    wanted = tomllib.loads((root() / "pyproject.toml").read_text())["project"]["dependencies"]
    lowest = [line.replace(">=", "==") for line in wanted]
    assert all("==" in line for line in lowest)
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    pins = [line for line in (root() / "requirements.txt").read_text().split() if line.startswith(("pytest==", "hypothesis==", "sacrebleu==", "rouge-score=="))]
    subprocess.run([python, "-m", "pip", "install", "-q", *lowest, *pins], check=True)
    command = [python, "-m", "pytest", "-W", "ignore::DeprecationWarning", "-p", "no:cacheprovider", *(root() / "tests" / name for name in PATH)]
    subprocess.run(command, check=True, cwd=root(), env=os.environ | {"PYTHONPATH": str(root())})

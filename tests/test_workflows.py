"""What runs elsewhere: the workflows, and the files that say what this is."""

import re
import subprocess
import sys

import pytest
import yaml

from rnncourse import __version__
from rnncourse.results import root

ROOT = root()
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_fits_its_schema(workflow):
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", str(workflow)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_calls_targets_that_there_are(workflow):
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf8"), re.M))
    assert set(re.findall(r"run: make ([a-z]+)", workflow.read_text("utf8"))) <= targets


def test_every_push_is_tested_on_three_systems_and_a_run_is_weekly():
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text("utf8"))["jobs"]
    assert jobs["linux"]["runs-on"].startswith("ubuntu") and jobs["students"]["strategy"]["matrix"]["system"] == ["windows-latest", "macos-latest"]
    weekly = yaml.safe_load((ROOT / ".github" / "workflows" / "weekly.yml").read_text("utf8"))
    assert weekly[True]["schedule"][0]["cron"].endswith("* * 1") and {"pins", "links", "report"} == set(weekly["jobs"])  # YAML reads "on" as true


def test_the_citation_fits_its_schema_and_all_tell_one_version():
    done = subprocess.run([sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.citation-file-format", str(ROOT / "CITATION.cff")], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert str(yaml.safe_load((ROOT / "CITATION.cff").read_text("utf8"))["version"]) == __version__
    assert f'version = "{__version__}"' in (ROOT / "pyproject.toml").read_text("utf8")
    assert re.search(rf"^## ({re.escape(__version__)},|Unreleased)", (ROOT / "CHANGELOG.md").read_text("utf8"), re.M)

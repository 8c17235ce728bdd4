"""How solutions/ becomes labs/, how solutions are run again, and how submissions are graded: nbgrader and nbconvert read this.

    nbgrader generate_assignment "*" --force --no-db                                      solutions/ -> labs/
    jupyter nbconvert --config nbgrader_config.py --execute --inplace solutions/*/*.ipynb   solutions/ once more
"""

import re
import warnings

from nbconvert.preprocessors import ClearMetadataPreprocessor, CoalesceStreamsPreprocessor
from nbgrader.converters import Autograde, GenerateAssignment
from nbgrader.preprocessors import ClearSolutions, DeduplicateIds, Execute, NbGraderPreprocessor, OverwriteCells
from sqlalchemy.exc import SAWarning


class NameTheExercise(ClearSolutions):
    """Puts in a solution's place a stub that names its exercise, after the cell's first line: ``# Exercise 3: last real step (…)``."""

    def _replace_solution_region(self, cell, language):
        title = re.match(r"# (Exercise \d+: .*?)(?: \(|\n)", cell.source)
        if "BEGIN SOLUTION" in cell.source and not title:
            raise ValueError(f"cell {cell.id}: its first line should be '# Exercise N: title (points)'")
        self.code_stub = {language: f'# YOUR CODE HERE\nraise NotImplementedError("{title[1]}")' if title else ""}
        return super()._replace_solution_region(cell, language)


class KeepTheLast(DeduplicateIds):
    """Of a cell that was doubled the last one counts. What nbgrader leaves of the others' metadata would end the whole run."""

    def preprocess_cell(self, cell, resources, index):
        cell, resources = super().preprocess_cell(cell, resources, index)
        if cell.metadata.get("nbgrader") == {}:
            del cell.metadata["nbgrader"]
        return cell, resources


class RunGradedCells(NbGraderPreprocessor):
    """Takes the tags off cells that count, so that none of them asks to be skipped or to be allowed to fail."""

    def preprocess_cell(self, cell, resources, index):
        if cell.metadata.get("nbgrader"):
            cell.metadata.pop("tags", None)
        return cell, resources


class ErrorsDecide(NbGraderPreprocessor):
    """Only an error makes a check cell wrong: a warning or a value that it shows neither costs nor earns marks."""

    def preprocess_cell(self, cell, resources, index):
        if cell.metadata.get("nbgrader", {}).get("grade") and cell.cell_type == "code":
            cell.outputs = [o for o in cell.outputs if o.output_type == "error" or o.get("name") == "stdout"]
        return cell, resources


def after(preprocessors, which, new):
    """The list with ``new`` put behind ``which``."""
    return [p for old in preprocessors for p in ([old, new] if old is which else [old])]


warnings.filterwarnings("ignore", module="nbgrader", category=SAWarning)  # of its own queries; nothing an instructor can do

c = get_config()  # noqa: F821
c.CourseDirectory.course_id = "rnncourse"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "labs"
c.CourseDirectory.ignore = [".*", "*.pyc", "__pycache__", "handed_in", "hidden.py", "right.py", "*.md"]  # these are never shipped

# labs/ depends on the text of solutions/ alone: times, versions and widget states are dropped
mask = {"nbgrader", "tags", "deletable", "editable"}
c.ClearMetadataPreprocessor.enabled = True
c.ClearMetadataPreprocessor.preserve_cell_metadata_mask = mask
c.ClearMetadataPreprocessor.preserve_nb_metadata_mask = {"kernelspec", ("language_info", "name")}
steps = [NameTheExercise if p is ClearSolutions else p for p in GenerateAssignment.preprocessors.default()]
c.GenerateAssignment.preprocessors = [ClearMetadataPreprocessor, *steps]

# wherever a notebook is run
c.ExecutePreprocessor.record_timing = False
c.ExecutePreprocessor.store_widget_state = False
c.NotebookExporter.preprocessors = [CoalesceStreamsPreprocessor]  # how printed text arrives in pieces is chance
c.ExecutePreprocessor.timeout = 600
c.ExecutePreprocessor.iopub_timeout = 20
c.ExecutePreprocessor.shutdown_kernel = "immediate"
c.ExecutePreprocessor.extra_arguments = ["--Application.log_level=ERROR"]

# submissions: what trains or draws is not run again
c.Execute.skip_cells_with_tag = "run"
c.Execute.timeout = 60
steps = [KeepTheLast if p is DeduplicateIds else p for p in Autograde.sanitize_preprocessors.default()]
c.Autograde.sanitize_preprocessors = after(steps, OverwriteCells, RunGradedCells)
c.Autograde.autograde_preprocessors = after(Autograde.autograde_preprocessors.default(), Execute, ErrorsDecide)

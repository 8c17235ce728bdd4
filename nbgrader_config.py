"""How solutions/ becomes labs/, and how solutions are run again: nbgrader and nbconvert read this.

    nbgrader generate_assignment "*" --force --no-db                                      solutions/ -> labs/
    jupyter nbconvert --config nbgrader_config.py --execute --inplace solutions/*/*.ipynb   solutions/ once more
"""

import re
import warnings

from nbconvert.preprocessors import ClearMetadataPreprocessor, CoalesceStreamsPreprocessor
from nbgrader.converters import GenerateAssignment
from nbgrader.preprocessors import ClearSolutions
from sqlalchemy.exc import SAWarning


class NameTheExercise(ClearSolutions):
    """Puts in a solution's place a stub that names its exercise, after the cell's first line: ``# Exercise 3: last real step (…)``."""

    def _replace_solution_region(self, cell, language):
        title = re.match(r"# (Exercise \d+: .*?)(?: \(|\n)", cell.source)
        if "BEGIN SOLUTION" in cell.source and not title:
            raise ValueError(f"cell {cell.id}: its first line should be '# Exercise N: title (points)'")
        self.code_stub = {language: f'# YOUR CODE HERE\nraise NotImplementedError("{title[1]}")' if title else ""}
        return super()._replace_solution_region(cell, language)


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

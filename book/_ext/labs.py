"""A lab's page offers the lab as one zip: the notebook and its checks."""

import json
import zipfile
from pathlib import Path


def offer(app, docname: str, source: list[str]) -> None:
    """Put the download link under a lab's title."""
    if not docname.startswith("labs/"):
        return
    name = docname.split("/")[1]
    notebook = json.loads(source[0])
    link = (f'<p><a class="lab-download" href="../../_static/labs/{name}.zip" download>Download this lab</a> '
            "(a zip: the notebook and its checks; unpack it into the folder <code>labs</code> of the course)</p>")
    cell = {"cell_type": "markdown", "id": "lab-download", "metadata": {}, "source": link}
    source[0] = json.dumps(notebook | {"cells": [notebook["cells"][0], cell, *notebook["cells"][1:]]})


def pack(app, exception) -> None:
    if exception or app.builder.format != "html":
        return
    target = Path(app.outdir, "_static", "labs")
    target.mkdir(parents=True, exist_ok=True)
    labs = Path(app.srcdir, "labs")
    for lab in sorted(p for p in labs.iterdir() if p.is_dir()):
        with zipfile.ZipFile(target / f"{lab.name}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(lab.iterdir()):
                if file.is_file():
                    stamp = zipfile.ZipInfo(str(Path(lab.name, file.name)), (2020, 1, 1, 0, 0, 0))  # the same bytes each time
                    archive.writestr(stamp, file.read_bytes(), zipfile.ZIP_DEFLATED)


def setup(app):
    app.connect("source-read", offer)
    app.connect("build-finished", pack)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

"""Execute the chapters on all cores, and again whenever something that they compute with has changed.

jupyter-cache knows a chapter by its code cells alone. This extension keeps, beside the cache, a fingerprint of what each
chapter imports and of the pinned requirements, and drops what no longer fits. What a chapter reads in another way stands
in its front matter: ``depends: [experiments/*.py]``.
"""

import json
import os
import re
import shutil
import sys
import time
import zlib
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from myst_nb.core.read import create_nb_reader
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError
from nbconvert.preprocessors import CoalesceStreamsPreprocessor

from rnncourse.results import fingerprint

DEPENDS = re.compile(r"---\n(?:(?!---).*\n)*depends: \[(.*)\]\n")
os.environ |= {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}  # inherited by every kernel


def read(app, docname: str):
    """The chapter as a notebook, or None for a page that is not executed."""
    path = Path(app.env.doc2path(docname))
    if path.suffix != ".md":
        return None
    text = path.read_text("utf8")
    reader = create_nb_reader(str(path), app.env.myst_config, app.env.mystnb_config, text)
    return reader.read(text) if reader and "{code-cell}" in text else None


def execute(path: str, notebook):
    """Run one notebook in its own folder: (path, notebook with outputs, seconds, error or None)."""
    began = time.perf_counter()
    # no times and no widget state in the notebook: the cache compares metadata, and a page carries its frames as HTML
    client = NotebookClient(notebook, timeout=600, record_timing=False, store_widget_state=False, extra_arguments=["--log-level=40"],
                            resources={"metadata": {"path": str(Path(path).parent)}})
    try:
        client.execute()
        error = None
    except (CellExecutionError, CellTimeoutError, RuntimeError) as exception:  # RuntimeError: the kernel died, or never started
        error = str(exception)
    notebook, _ = CoalesceStreamsPreprocessor().preprocess(notebook, {})  # how printed text arrives in pieces is chance
    return path, notebook, time.perf_counter() - began, error


def sum_of(files: list[Path]) -> int:
    """A sum of files as they lie on the disk."""
    return zlib.crc32(b"".join(file.name.encode() + file.read_bytes() for file in sorted(files)))


def refresh(app, env, added, changed, removed) -> list[str]:
    """Before pages are read: fill the cache; say which unchanged pages must be read again."""
    folder = Path(env.mystnb_config.execution_cache_path)
    folder.mkdir(parents=True, exist_ok=True)
    cache = get_cache(str(folder))
    store = folder / "fingerprints.json"
    old = json.loads(store.read_text()) if store.exists() else {}
    course = Path(app.srcdir)
    pins = [course / "requirements.txt"]
    code = sum_of([*pins, *course.glob("rnncourse/**/*.py"), *course.glob("experiments/*.py"), *course.glob("solutions/*/*.py"), *course.glob("book/results/*")])
    new, todo, stale = {}, [], []
    for docname in sorted(env.found_docs):
        path = Path(env.doc2path(docname))
        front = DEPENDS.match(path.read_text("utf8"))
        depends = [file for pattern in front[1].split(", ") for file in sorted(course.glob(pattern))] if front else []
        bytes_of = f"{sys.version_info[:2]} {code} {sum_of([path, *depends])}"
        if old.get(docname, [""])[0] == bytes_of:  # then notebook and fingerprint are as they were: they take half a second a page
            new[docname] = old[docname]
            continue
        notebook = read(app, docname)
        if notebook is None:
            continue
        new[docname] = [bytes_of, f"{sys.version_info[:2]} " + fingerprint([path, *pins, *depends])]
        try:
            match = cache.match_cache_notebook(notebook)
        except KeyError:
            match = None
        if match and old.get(docname, ["", ""])[1] != new[docname][1]:
            cache.remove_cache(match.pk)
            match = None
        if match is None:
            todo.append((str(path), notebook))
            stale.append(docname)
    failed = run(cache, todo)
    store.write_text(json.dumps({docname: both for docname, both in new.items() if env.doc2path(docname) not in failed}, indent=1))
    return stale


def run(cache, todo: list) -> set[str]:
    """Execute notebooks and store them: the paths of those that failed."""
    failed = set()
    if not todo:
        return failed
    todo.sort(key=lambda job: -os.path.getsize(job[0]))  # a long one should not come last, when the other cores wait
    with ProcessPoolExecutor(min(os.cpu_count() or 1, len(todo))) as pool:
        jobs = [pool.submit(execute, *job) for job in todo]
        for n, job in enumerate(as_completed(jobs), 1):
            path, notebook, seconds, error = job.result()
            print(f"executed {n} of {len(todo)}: {os.path.relpath(path)}, {seconds:.1f} s{', FAILED' if error else ''}", flush=True)
            if error:  # myst-nb runs it once more, and reports it
                failed.add(path)
            else:
                bundle = CacheBundleIn(notebook, path, data={"execution_seconds": seconds})
                cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
    return failed


def report(app, exception) -> None:
    """At the end: where the book is, and what failed. A build with warnings is read anew next time, so they come again."""
    if app.builder.format != "html":
        return
    ran = {doc: data["exec_data"] for doc, data in getattr(app.env, "nb_metadata", {}).items() if data.get("exec_data")}
    failed = [doc for doc, data in ran.items() if not data["succeeded"]]
    if exception or app._warncount:
        shutil.rmtree(app.doctreedir, ignore_errors=True)
    print(f"\nfirst page: {Path(app.outdir, 'index.html')}")
    print(f"pages that failed: {', '.join(failed) if failed else 'none'}; warnings: {app._warncount}", flush=True)


def setup(app):
    app.connect("env-get-outdated", refresh)
    app.connect("build-finished", report, priority=950)
    here = Path(__file__).parent  # a changed extension, script or style is a reason to make every page again
    files = sorted([*here.glob("*.py"), *here.with_name("_static").iterdir()])
    version = zlib.crc32(b"".join(file.read_bytes() for file in files))
    return {"version": "1", "env_version": version, "parallel_read_safe": True, "parallel_write_safe": True}

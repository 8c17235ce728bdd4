"""Time of a cold build of the book and of one after a change, weight of its pages, and when their first letter is seen.

Bars: cold 10 min on 2 cores; after one changed chapter its own time and 30 s. Gzipped, a page weighs 1.5 MB at most on
the first visit and, once the shared files are cached, 200 kB for its demos and 300 kB for all else. First contentful
paint under 1 s from a local server, the median of three visits with an empty cache, in headless Chromium.
"""

import argparse
import functools
import gzip
import http.server
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median
from urllib.parse import unquote, urlsplit

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
DEMO = re.compile(rb'<div(?=[^>]*class="demo").*?</noscript>\s*</div>', re.S)
COLD, WARM, FIRST, DEMOS, REST, PAINT = 600, 30, 1500, 200, 300, 1000  # s, s, kB, kB, kB, ms
CHANGED = "book/gates/gru.md"


def build(course: Path) -> tuple[float, str]:
    """Seconds of a strict build, and what it printed."""
    began = time.perf_counter()
    command = [Path(sys.executable).with_name("jupyter-book"), "build", ".", "-n", "-W", "--keep-going", "--quiet"]
    done = subprocess.run(command, cwd=course, check=True, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(course), "OMP_NUM_THREADS": "1"})
    return time.perf_counter() - began, done.stdout


def times(course: Path) -> tuple[float, float]:
    """Seconds of a cold build, and of one after a change without the seconds of the changed chapter."""
    ignored = shutil.ignore_patterns(".git", ".venv", "_build", "__pycache__", ".hypothesis", ".pytest_cache")
    shutil.copytree(ROOT, course, ignore=ignored)
    cold, _ = build(course)
    print(f"cold build: {cold:.0f} s", flush=True)
    page = course / CHANGED
    page.write_text(page.read_text("utf8").replace("rnncourse.reproducible(0)", "rnncourse.reproducible(0)\nchanged = True", 1), "utf8")
    warm, said = build(course)
    own = re.search(rf"executed \d of \d: {CHANGED}, ([\d.]+) s", said)
    return cold, warm - float(own[1])


def zipped(data: bytes) -> float:
    """Kilobytes of what a server would send."""
    return len(gzip.compress(data)) / 1000


def visit(browser, html: Path, address: str) -> tuple[float, float, float, float]:
    """Of one page: kB of the first visit, of its demos, of all else that is its own, and ms to the first paint."""
    paints = []
    for _ in range(3):
        context = browser.new_context()
        tab, asked = context.new_page(), set()
        tab.on("request", lambda request, asked=asked: asked.add(unquote(urlsplit(request.url).path).lstrip("/")))
        tab.goto(address, wait_until="load")
        tab.wait_for_timeout(300)
        paints.append(tab.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))
        context.close()
    text = (html / urlsplit(address).path.lstrip("/")).read_bytes()
    demos = b"".join(DEMO.findall(text))
    files = [html / name for name in asked if (html / name).is_file()]
    own = [file for file in files if "_static" not in file.parts and file.suffix != ".html"]
    rest = zipped(DEMO.sub(b"", text)) + sum(zipped(file.read_bytes()) for file in own)
    return sum(zipped(file.read_bytes()) for file in files), zipped(demos) if demos else 0.0, rest, median(paints)


def weights(html: Path) -> list[tuple[float, float, float, float]]:
    """What `visit` finds for every page, printed as it goes."""
    handler = functools.partial(type("Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *_: None}), directory=html)
    path = shutil.which("chromium") or shutil.which("google-chrome")
    found = []
    print(f"{'page':36} {'first kB':>9} {'demos kB':>9} {'rest kB':>8} {'paint ms':>9}")
    with http.server.ThreadingHTTPServer(("localhost", 0), handler) as server, sync_playwright() as playwright:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu", "--disable-quic"])
        for page in sorted([*html.glob("book/**/*.html"), *html.glob("labs/**/*.html")]):
            name = page.relative_to(html).as_posix()
            found.append(visit(browser, html, f"http://localhost:{server.server_port}/{name}"))
            print(f"{name:36} {found[-1][0]:9.0f} {found[-1][1]:9.0f} {found[-1][2]:8.0f} {found[-1][3]:9.0f}", flush=True)
        browser.close()
        server.shutdown()
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", action="store_true", help="no builds: only the pages that lie in _build")
    only = parser.parse_args().pages
    with tempfile.TemporaryDirectory() as folder:
        cold, warm = (0.0, 0.0) if only else times(Path(folder) / "course")
        worst = [max(column) for column in zip(*weights((ROOT if only else Path(folder) / "course") / "_build" / "html"))]
    parts = [("cold build", cold, COLD, "s"), ("after a change, beyond the chapter's own time", warm, WARM, "s"), ("heaviest first visit", worst[0], FIRST, "kB"),
             ("demos", worst[1], DEMOS, "kB"), ("rest of a page", worst[2], REST, "kB"), ("slowest first paint", worst[3], PAINT, "ms")]  # fmt: skip
    for name, value, bar, unit in parts:
        print(f"book: {name} {value:.0f} {unit}, bar {bar}: {'MISSED' if value > bar else 'reached'}")
    return any(value > bar for _, value, bar, _ in parts)


if __name__ == "__main__":
    raise SystemExit(main())

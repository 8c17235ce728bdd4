"""Time of a cold and a warm build of the book, and the weight of its pages.

A page's demos may weigh 1.5 MB as they lie and 200 kB gzipped; all else is reported.
"""

import argparse
import gzip
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DEMO = re.compile(rb'<div class="demo".*?</noscript></div>', re.S)
PLAIN, ZIPPED = 1_500_000, 200_000


def build(folder: str) -> float:
    began = time.perf_counter()
    command = [Path(sys.executable).with_name("jupyter-book"), "build", str(ROOT), "--path-output", folder, "-n", "-W", "--keep-going", "--quiet"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> int:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cold, warm = build(folder), build(folder)
        html = Path(folder, "_build", "html")
        heaviest = 0.0
        print(f"{'page':40} {'kB':>7} {'gzipped':>8} {'demos kB':>9} {'gzipped':>8}")
        for page in sorted([*html.glob("book/**/*.html"), *html.glob("labs/**/*.html")]):
            text = page.read_bytes()
            demos = b"".join(DEMO.findall(text))
            zipped = len(gzip.compress(demos)) if demos else 0
            heaviest = max(heaviest, len(demos) / PLAIN, zipped / ZIPPED)
            print(f"{page.relative_to(html)!s:40} {len(text) / 1000:7.0f} {len(gzip.compress(text)) / 1000:8.0f} {len(demos) / 1000:9.0f} {zipped / 1000:8.0f}")
    print(f"book: cold build {cold:.0f} s, warm {warm:.0f} s; heaviest demos {100 * heaviest:.0f} % of 1.5 MB or 200 kB gzipped: {'MISSED' if heaviest > 1 else 'reached'}")
    return heaviest > 1


if __name__ == "__main__":
    raise SystemExit(main())

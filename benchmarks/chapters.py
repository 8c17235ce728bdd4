"""How long each chapter and each lab's solution computes: seconds of one core, each executed alone from its source.

Bars: 90 s for a chapter, 45 s on average over the book, 90 s for a lab's solution.
"""

import argparse
import os
import sys
from pathlib import Path

from rnncourse import results

ROOT = Path(__file__).resolve().parent.parent
CHAPTER, AVERAGE, LAB = 90, 45, 90


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="*", type=Path, help="chapters or solutions; all of them by default")
    paths = parser.parse_args().paths
    os.environ["OMP_NUM_THREADS"] = "1"
    times = results.experiment("run_times")
    took: dict[str, list[float]] = {"chapter": [], "lab": []}
    for path in paths or [ROOT / page for page in times.pages()]:
        kind = "chapter" if path.suffix == ".md" else "lab"
        took[kind].append(times.seconds(path.resolve()))
        print(f"{path.resolve().relative_to(ROOT)!s:45} {took[kind][-1]:6.1f} s", flush=True)
    chapters, labs = took["chapter"] or [0.0], took["lab"] or [0.0]
    average = sum(chapters) / len(chapters)
    missed = max(chapters) > CHAPTER or average > AVERAGE or max(labs) > LAB
    print(f"chapters: longest chapter {max(chapters):.0f} s (bar {CHAPTER}), average {average:.0f} s (bar {AVERAGE}), "
          f"longest lab {max(labs):.0f} s (bar {LAB}): {'MISSED' if missed else 'reached'}")
    return missed


if __name__ == "__main__":
    sys.exit(main())

"""The report of a library: seconds to make it, its size, and how long a browser takes to open it from disk.

    python benchmarks/report.py --data DATA [--sets lfw_a meeting] [-o FOLDER]

Each set is clustered first, in FOLDER, unless it was there. The page is opened five times, each in a new profile of
Chromium (`UNMINGLE_CHROMIUM`, or the one on the path); opened means that everything that the first view needs is there
(the browser's load event), and then that two frames were drawn. JSON on stdout.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

from main_job import run, source_and_labels

TIMES = 5
DRAWN = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())))"


def opened(page: Path) -> dict[str, object]:
    """Seconds until the page is loaded and drawn, and what it asked for besides itself."""
    browser = os.environ.get("UNMINGLE_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-headless-shell")
    seconds, asked = [], set()
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        for _ in range(TIMES):
            context = chromium.new_context(viewport={"width": 1280, "height": 800})
            context.on("request", lambda request: asked.add(request.url))
            tab = context.new_page()
            start = time.perf_counter()
            tab.goto(page.as_uri(), wait_until="load")
            tab.evaluate(DRAWN)
            seconds.append(time.perf_counter() - start)
            context.close()
        chromium.close()
    others = [url for url in asked if not url.startswith("data:") and url != page.as_uri()]
    return {"seconds": round(statistics.median(seconds), 2), "slowest": round(max(seconds), 2), "others": others}


def measure(data: Path, name: str, folder: Path) -> dict[str, object]:
    source, labels = source_and_labels(data, name)
    library = folder / name
    if not library.is_dir():
        run("cluster", source, "-o", library, "--quiet")
    page = folder / f"{name}.html"
    seconds, memory, _ = run("report", library, "--labels", labels, "-o", page, "--quiet")
    return {
        "made_in_seconds": round(seconds, 1),
        "memory_gb": round(memory / 1e9, 2),
        "megabytes": round(page.stat().st_size / 1e6, 1),
        "opened": opened(page),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", default=["lfw_a", "meeting"])
    parser.add_argument("-o", "--output", type=Path)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (chosen.output or Path(temporary)).absolute()
        print(json.dumps({name: measure(chosen.data, name, folder) for name in chosen.sets}, indent=1))


if __name__ == "__main__":
    main()

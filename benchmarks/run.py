"""Every benchmark that this machine can run, one after the other; results go to benchmarks/results/*.json.

    make bench                      without data: start-up, a thousand kills, twenty thousand odd and damaged files, the
                                    review page in Chromium, exports (with ExifTool), a large library in a notebook, a
                                    million generated faces
    UNMINGLE_DATA=DATA make bench   and the main job, memory growth, the report in Chromium, recordings, photographs
                                    (also of 12 megapixels, beside Pillow),
                                    what a second reading of landmarks and bf16 are worth, what is left out and
                                    why, and the grouping: parts of the sets, one set left out, confidence, adding,
                                    scale

The comparison of the grouping with other methods needs the group `bench` and some forty minutes; see
grouping/side_by_side.py. The comparison of the classic recipe with the seed's own loop needs TensorFlow in an
environment of its own; see classic.py. That of the tracker with others needs the package trackers; see tracking.py.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
RESULTS = HERE / "results"
MAIN_SETS = ("meeting", "johns", "sitcom", "umist", "pins_a")


def run(name: str, *words: str) -> None:
    """Run one script and keep what it prints."""
    print(f"{name}: {' '.join(words)}", flush=True)
    script, *rest = words
    done = subprocess.run([sys.executable, HERE / script, *rest], check=True, stdout=subprocess.PIPE, text=True)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(done.stdout, encoding="utf-8")
    print(done.stdout, flush=True)


def main() -> None:
    """What can be run."""
    run("startup", "startup.py")
    run("kills", "kills.py", "--kills", "1000")
    run("fuzz", "fuzz.py")
    run("review_page", "review_page.py")
    run("exports", "exports.py")
    run("notebook", "notebook.py")
    data = os.environ.get("UNMINGLE_DATA")
    if data:
        run("main_job", "main_job.py", "--data", data, *MAIN_SETS)
        run("main_job_lfw_a", "main_job.py", "--data", data, "--growth", "lfw_a")
        run("report", "report.py", "--data", data)
        run("recordings", "recordings.py", "--data", data, "--loop", "600")
        run("twelve_megapixels", "twelve_megapixels.py", "--data", data)
        run("photographs", "photographs.py", "--data", data, "--faces", "lfw_a", "pins_a", "--empty", "nonface")
        run("landmarks", "landmarks.py", "--data", data, "umist", "sitcom", "pins_a", "johns")
        run("precision", "precision.py", "--data", data, "umist", "pins_a", "lfw_a")
        run("probes", "fit_probes.py", "--data", data)
        run("degradation", "degradation.py", "--data", data, "lfw_a", "pins_a", "umist")
        run("triage", "triage.py", "--data", data)
        libraries = str(HERE / "work" / "libraries")
        run("left_out", "left_out.py", "--data", data, "-o", libraries, *MAIN_SETS, "lfw_a", "nonface", "masked")
        embeddings = str(HERE / "work" / "embeddings")
        run("grouping_embed", "grouping/embed.py", "--data", data, "-o", embeddings, *MAIN_SETS, "lfw_a")
        for name in ("subcollections", "leave_one_out", "calibration", "adding"):
            run(f"grouping_{name}", f"grouping/{name}.py", embeddings)
        run("reviewer", "reviewer.py", embeddings)
    run("grouping_scale", "grouping/scale.py", "--compare", "100000")


if __name__ == "__main__":
    main()

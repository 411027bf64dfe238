"""What each pass of the grouping earns: stored faces are grouped again with one pass switched off at a time.

    python benchmarks/grouping/ablation.py LIBRARIES --data DATA NAME ...

LIBRARIES/NAME/library is an analysed library (`tools/freeze.py write` leaves such), which is copied and left alone;
DATA/NAME is its collection, labelled by annotations.xlsx or by its folders. For each way: people found, BCubed F,
accuracy and coverage of the labelled faces, and how many faces are in a person. JSON on stdout, and on stderr what
differs from "all passes".
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np

import unmingle
from unmingle.evaluation.metrics import score
from unmingle.grouping.attach import fill_gaps
from unmingle.grouping.cluster import Evidence, cluster_with_quality
from unmingle.settings import GroupingSettings
from unmingle.store.face_rows import faces_to_group
from unmingle.store.sqlite import open_to_read

if TYPE_CHECKING:
    from collections.abc import Callable

    from unmingle.records import Clustering


def nothing(*_: object) -> int:
    """A pass that does nothing."""
    return 0


# What takes the place of what, in unmingle.
WAYS: dict[str, dict[str, Callable[..., Any]]] = {
    "all passes": {},
    "no scale of the collection": {"grouping.cluster._scale": lambda *_: 1.0},
    "no top-quartile linkage": {f"grouping.cluster.join_{of}": nothing for of in ("fragments", "likely")},
    "no further joining of fragments": {"grouping.cluster.join_likely": nothing},
    "no reassignment": {"grouping.cluster.reassign": nothing},
    "no outlier attachment": {"grouping.cluster.attach_outliers": nothing},
    "no splitting by gaps": {"grouping.cluster.split_by_gaps": nothing},
    "no gap filling": {f"grouping.cluster.{name}": nothing for name in ("split_by_gaps", "fill_gaps")},
    "no gap filling for border faces": {
        "grouping.cluster.fill_gaps": lambda *given, **more: 0 if len(given) > 2 else fill_gaps(*given, **more)
    },
    "no merging of who was seen together": {"grouping.cluster.merge_seen_together": lambda *_: (0, 0)},
    "no border attachment": {"grouping.cluster.attach_border": nothing},
    "border faces by the threshold only": {"grouping.attach.surest_of_families": lambda p_m, *_: np.argsort(p_m)},
    "border faces without a scale of their own": {"grouping.attach._in_own_scale": lambda *words: words[3].best_q},
    "all faces core": {},
    "copies count": {},
    "frames not heeded": {},
}


def inputs_of(
    library: unmingle.Library, labels: Path | str
) -> tuple[dict[str, Any], list[tuple[int, str]], dict[int, int]]:
    """What the library's grouping was given, the id and label of each labelled face, and the row of each id."""
    given: dict[str, Any] = {}

    def remembering(vectors_nd: Any, settings: GroupingSettings, **more: Any) -> Clustering:
        given.update(more, vectors_nd=vectors_nd)
        return cluster_with_quality(vectors_nd, settings, **more)

    with patch("unmingle.jobs.cluster_with_quality", remembering):
        library.cluster(sheets=0)
    faces = library.evaluate(labels).faces
    with open_to_read(library.folder) as store:
        ids = faces_to_group(store).ids
    return given, list(faces.select("id", "label").iter_rows()), {int(one): row for row, one in enumerate(ids)}


def measured(
    given: dict[str, Any], labelled: list[tuple[int, str]], row_of: dict[int, int], way: str
) -> dict[str, float]:
    """Group without a pass, and score."""
    words = dict(given)
    if way == "all faces core":
        words["core_n"] = np.ones_like(given["core_n"])
    if way == "copies count":
        words["copy_of_n"] = None
    with ExitStack() as stack:
        for name, instead in WAYS[way].items():
            stack.enter_context(patch(f"unmingle.{name}", instead))
        clustering = cluster_with_quality(settings=GroupingSettings(co_occurrence=way != "frames not heeded"), **words)
    people_n = Evidence.of(clustering, given["core_n"], given["copy_of_n"]).people_n
    person_n = np.where(people_n, clustering.labels, -1)
    found = [person_n[row_of[one]] if one in row_of else -1 for one, _ in labelled]
    scores = score([label for _, label in labelled], np.array(found))
    return {
        "people_true": scores.people_true,
        "people_found": scores.people_found,
        "bcubed_f": round(scores.bcubed.f1, 5),
        "accuracy": round(scores.accuracy, 5),
        "coverage": round(scores.coverage, 5),
        "faces_in_a_person": int(people_n.sum()),
    }


def main() -> None:
    """Every collection, every way."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("libraries", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("names", nargs="+")
    options = parser.parse_args()
    result: dict[str, dict[str, dict[str, float]]] = {}
    for name in options.names:
        labels = options.data / name / "annotations.xlsx"
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(options.libraries / name / "library", Path(folder, "library"))
            library = unmingle.open(Path(folder, "library"))
            inputs = inputs_of(library, labels if labels.is_file() else "folders")
        found = {way: measured(*inputs, way) for way in WAYS}
        result[name] = {way: one for way, one in found.items() if one != found["all passes"] or way == "all passes"}
        for way, one in result[name].items():
            sys.stderr.write(f"{name:10} {way:45} {one}\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()

"""What each rule of the triage costs and saves.

Collections: meeting, umist, pins_a, lfw_a, and lfw_a with `nonface` and `masked` mixed in. The faces of each are found
and measured once; then all rules apply, all but one, or none. Two rules that there aren't are tried as well: turned
heads may only join, and what is hardly a face is set aside. For each way, JSON on stdout:

- faces by the reason why they may not found, how many of them are labelled, and how many set aside are;
- accuracy and BCubed F on the labelled faces, as `unmingle evaluate` counts them, and coverage, the share of them that
  is in a person;
- strays: faces that labels say nothing of, or that they call masked or no face, in people of labelled faces.

    python benchmarks/triage.py --data DATA [meeting ...]
"""

from __future__ import annotations

import argparse
import json
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from unmingle.evaluation.labels import LabelOptions, read_labels
from unmingle.evaluation.metrics import score
from unmingle.faces.align import align
from unmingle.faces.detect import find_faces
from unmingle.faces.quality import Measures, measure, triage
from unmingle.grouping.cluster import Evidence, cluster_with_quality
from unmingle.grouping.constraints import Constraints
from unmingle.grouping.impostors import SFACE_CURVE
from unmingle.models import embedding, yunet
from unmingle.settings import DetectionSettings, EngineSettings, GroupingSettings
from unmingle.sources.decoding import decode
from unmingle.sources.images import read_bytes, scan
from unmingle.sources.names import parse_name

if TYPE_CHECKING:
    from unmingle.records import F32, I64, Bool

COLLECTIONS = {
    "meeting": ("meeting",),
    "umist": ("umist",),
    "pins_a": ("pins_a",),
    "lfw_a": ("lfw_a",),
    "lfw_a with nonface and masked": ("lfw_a", "nonface", "masked"),
}
NEVER = float("inf")
WAYS = {
    "all rules": DetectionSettings(),
    "without size": DetectionSettings(min_pixels=0, founder_pixels=0),
    "without blur": DetectionSettings(founder_blur=NEVER),
    "without covered": DetectionSettings(founder_covered=1),
    "without not a face": DetectionSettings(min_face=0, founder_face=0),
    "hardly a face set aside": DetectionSettings(min_face=0.5),
    "no rules": DetectionSettings(
        min_pixels=0, founder_pixels=0, founder_blur=NEVER, founder_covered=1, min_face=0, founder_face=0
    ),
}
FAR_TURNED = 0.3  # of `turn_of`
AT_ONCE = 32


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """n faces of a data set: vectors, measures, the frame of each (one a picture, or a meeting's), and whose it is.

    copies_n: (n,) the row of the first face of the same picture, itself if it is the first.
    people:   n labels; "" where there is none: a further face in a picture, a mask, no face.
    """

    vectors_nd: F32
    measures: Measures
    frames_n: I64
    copies_n: I64
    people: list[str]

    @classmethod
    def together(cls, parts: list[Found]) -> Found:
        """The faces of several data sets."""
        first = np.cumsum([0, *(part.frames_n.max() + 2 for part in parts[:-1])])
        row = np.cumsum([0, *(len(part.people) for part in parts[:-1])])
        return cls(
            np.concatenate([part.vectors_nd for part in parts]),
            Measures.together([part.measures for part in parts]),
            np.concatenate([part.frames_n + start for part, start in zip(parts, first, strict=True)]),
            np.concatenate([part.copies_n + start for part, start in zip(parts, row, strict=True)]),
            [person for part in parts for person in part.people],
        )


def labels_of(folder: Path, files: list[str]) -> dict[str, str]:
    """Whose picture each file is, where labels say so."""
    workbook = folder / "annotations.xlsx"
    if workbook.is_file():
        labels = read_labels(workbook, LabelOptions())
        known = {Path(file).name: label for file, label in zip(labels.files, labels.labels, strict=True)}
        return {file: known.get(Path(file).name, "") for file in files}
    return {file: file.partition("/")[0] if "/" in file else "" for file in files}


def frames_of(files: list[str]) -> list[int]:
    """A number for each file: frames of a meeting that follow each other are neighbours, pictures are not."""
    parts = [parse_name(file) for file in files]
    known = sorted({(one.meeting, one.frame) for one in parts if one})
    number: dict[tuple[str, int], int] = {}
    last, meeting = 0, ""
    for one, frame in known:
        last += 1 if one == meeting else 2
        number[one, frame], meeting = last, one
    return [number[one.meeting, one.frame] if one else 2 * i for i, one in enumerate(parts)]


def find(data: Path, name: str) -> Found:
    """Find, embed and measure the faces of a data set."""
    folder = data / name
    detector, embedder = yunet.open_yunet(EngineSettings(precision="f32")), embedding.open_sface()
    files = scan([folder / "faces" if (folder / "faces").is_dir() else folder]).files
    names = [file.name for file in files]
    whose, frames = labels_of(folder, names), frames_of(names)
    vectors, parts, people, numbers, copies = [], [], [], [], []
    first: dict[tuple[bytes, int], int] = {}  # rows by the picture's bytes and the face's place in it
    for start in range(0, len(files), AT_ONCE):
        contents = [read_bytes(file) for file in files[start : start + AT_ONCE]]
        pictures = [decode(content) for content in contents]
        for i, found in enumerate(find_faces(detector, pictures, DetectionSettings()), start):
            if not len(found.faces):
                continue
            aligned = np.stack([align(pictures[i - start], points) for points in found.faces.points])
            vectors_nd, bands = embedding.describe(embedder, aligned)
            vectors.append(vectors_nd)
            parts.append(measure(found.faces.points, aligned, bands))
            copies += [first.setdefault((contents[i - start], k), len(people) + k) for k in range(len(aligned))]
            people += [whose[names[i]], *[""] * (len(aligned) - 1)]
            numbers += [frames[i]] * len(aligned)
    return Found(np.concatenate(vectors), Measures.together(parts), np.array(numbers), np.array(copies), people)


def judge(found: Found, settings: DetectionSettings, *, turned_join: bool = False) -> dict[str, object]:
    """Group under some rules, and score."""
    verdicts = triage(found.measures, np.ones(len(found.measures), np.float32), settings)
    standing = np.array(verdicts.standings)
    if turned_join:
        standing[(standing == "found") & (found.measures.turn > FAR_TURNED)] = "join"
    in_n = np.flatnonzero(standing != "aside")
    founders = standing[in_n] == "found"
    seen = np.stack([np.arange(len(in_n)), found.frames_n[in_n]], axis=1)
    copies = np.searchsorted(in_n, found.copies_n[in_n])  # a picture and its copies are judged alike
    clustering = cluster_with_quality(
        found.vectors_nd[in_n],
        GroupingSettings(),
        curve=SFACE_CURVE,
        constraints=Constraints(len(in_n), seen),
        core_n=founders,
        copy_of_n=copies,
    )
    person_n = np.full(len(standing), -1, np.int64)
    person_n[in_n] = np.where(Evidence.of(clustering, founders, copies).people_n, clustering.labels, -1)
    labelled = np.array([bool(person) for person in found.people])
    scores = score([person for person in found.people if person], person_n[labelled])
    named = set(person_n[labelled & (person_n >= 0)].tolist())
    return {
        "accuracy": round(scores.accuracy, 4),
        "bcubed_f": round(scores.bcubed.f1, 4),
        "coverage": round(scores.coverage, 4),
        "strays": sum(int(person) in named for person in person_n[~labelled]),
        "people_found": scores.people_found,
        "reasons": told(verdicts.reasons, labelled),
        "labelled_aside": int(np.sum(labelled & (standing == "aside"))),
        "turned": int(np.sum(found.measures.turn > FAR_TURNED)) if turned_join else 0,
    }


def told(reasons: tuple[str, ...], labelled: Bool) -> dict[str, str]:
    """How many faces each reason holds back, and how many of these have a label."""
    heads = [reason.partition(":")[0] for reason in reasons]
    every, own = Counter(heads), Counter(np.array(heads, object)[labelled].tolist())
    return {head: f"{every[head]}, {own[head]} labelled" for head in sorted(every) if head}


def main() -> None:
    """Every collection, every way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data = os.environ.get("UNMINGLE_DATA")
    parser.add_argument("--data", type=Path, default=data and Path(data), required=data is None)
    parser.add_argument("collections", nargs="*", help="those to look at; all if none is named")
    options = parser.parse_args()
    collections = {name: COLLECTIONS[name] for name in options.collections or COLLECTIONS}
    sets = {name: find(options.data, name) for name in sorted({one for parts in collections.values() for one in parts})}
    result: dict[str, dict[str, object]] = {}
    for name, parts in collections.items():
        found = Found.together([sets[part] for part in parts])
        result[name] = {way: judge(found, settings) for way, settings in WAYS.items()}
        result[name]["turned faces may only join"] = judge(found, DetectionSettings(), turned_join=True)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()

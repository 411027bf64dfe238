"""Where the embedding stops telling people apart: fewer pixels, more blur, a turned head.

Pairs of one person's main faces, one of them made worse step by step. Told for each step: the median cosine of such
pairs, and the share that falls below what strangers among good faces reach once in a thousand. The thresholds of
`DetectionSettings` are where that share is a half (may only join) and nine in ten (not grouped), interpolated, as the
geometric mean of the sets. For turn nothing is made: pairs of a frontal face and one whose landmarks say so. JSON out.

    python benchmarks/degradation.py --data DATA lfw_a pins_a umist
"""

from __future__ import annotations

import argparse
import json
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from unmingle.faces.align import SIDE, align
from unmingle.faces.detect import find_faces
from unmingle.faces.quality import blur_of, turn_of
from unmingle.models import embedding, yunet
from unmingle.settings import DetectionSettings, EngineSettings
from unmingle.sources.decoding import decode
from unmingle.sources.images import read_bytes, scan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from unmingle.models.runtime import Session
    from unmingle.records import F32, U8, Bool, Faces
    from unmingle.sources.images import PictureFile

PIXELS = (64, 48, 40, 32, 28, 24, 20, 18, 16, 14, 12, 10, 8)
BLURS = (1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 8.0)
TURNS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
FRONTAL = 0.12  # of `turn_of`
PAIRS = 600
ONCE_IN = 1000
AT_ONCE = 32


@dataclass(frozen=True, slots=True, eq=False)
class Portraits:
    """Main faces: (n, 112, 112, 3), whose each is, and how far turned."""

    aligned_nhwc: U8
    people: list[str]
    turn: F32


def read(data: Path, name: str) -> Portraits:
    """The main face of each picture of people who have at least two."""
    aligned, people, turns = [], [], []
    files = scan([data / name]).files
    many = Counter(owner_of(file) for file in files)
    for person, picture, faces in main_faces([file for file in files if many[owner_of(file)] > 1]):
        aligned.append(align(picture, faces.points[0]))
        people.append(person)
        turns.append(turn_of(faces.points[0]))
    return Portraits(np.stack(aligned), people, np.array(turns, np.float32))


def main_faces(files: Sequence[PictureFile]) -> Iterator[tuple[str, U8, Faces]]:
    """Of each picture that shows a face, whose it is, itself, and its main face alone."""
    detector = yunet.open_yunet(EngineSettings(precision="f32"))
    for start in range(0, len(files), AT_ONCE):
        part = files[start : start + AT_ONCE]
        pictures = [decode(read_bytes(file)) for file in part]
        found = find_faces(detector, pictures, DetectionSettings(crops="always"))
        for file, picture, one in zip(part, pictures, found, strict=True):
            if len(one.faces):
                yield owner_of(file), picture, one.faces


def owner_of(file: PictureFile) -> str:
    return file.name.partition("/")[0]


def pairs(people: Sequence[str], rng: np.random.Generator) -> tuple[list[int], list[int]]:
    """Two faces of one person, people in turn, until there are enough."""
    faces: dict[str, list[int]] = {}
    for i, person in enumerate(people):
        faces.setdefault(person, []).append(i)
    several = [own for own in faces.values() if len(own) > 1]
    chosen = [rng.choice(several[i % len(several)], 2, replace=False) for i in range(PAIRS)]
    return [int(one) for one, _ in chosen], [int(other) for _, other in chosen]


def smaller(face: U8, side: float) -> U8:
    small = cv2.resize(face, (int(side), int(side)), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR), np.uint8)


def blurred(face: U8, deviation: float) -> U8:
    return np.asarray(cv2.GaussianBlur(face, (0, 0), deviation), np.uint8)


def embed(session: Session, aligned_nhwc: U8) -> F32:
    return np.concatenate(
        [embedding.embed(session, aligned_nhwc[i : i + AT_ONCE]) for i in range(0, len(aligned_nhwc), AT_ONCE)]
    )


def curve(
    session: Session, portraits: Portraits, worsen: Callable[[U8, float], U8], levels: Sequence[float]
) -> dict[str, object]:
    """One way of getting worse."""
    one, other = pairs(portraits.people, np.random.default_rng(0))
    good_pd = embed(session, portraits.aligned_nhwc[one])
    people_p = np.array(portraits.people)[one]
    strangers_pp: Bool = people_p[:, None] != people_p
    bar = float(np.quantile((good_pd @ good_pd.T)[strangers_pp], 1 - 1 / ONCE_IN))
    steps = {}
    for level in levels:
        worse = np.stack([worsen(face, level) for face in portraits.aligned_nhwc[other]])
        worse_pd = embed(session, worse)
        cosine_p = np.sum(worse_pd * good_pd, axis=1)
        steps[f"{level:g}"] = {
            "cosine": round(float(np.median(cosine_p)), 3),
            "lost": round(float(np.mean(cosine_p < bar)), 3),
            "strangers alike worsened": round(
                float(np.quantile((worse_pd @ worse_pd.T)[strangers_pp], 1 - 1 / ONCE_IN)), 3
            ),
            "blur measured": round(float(np.median([blur_of(face) for face in worse])), 2),
        }
    lost = [step["lost"] for step in steps.values()]
    return {
        "strangers": round(bar, 3),
        "half lost at": round(float(np.interp(0.5, lost, levels)), 2),
        "nine in ten lost at": round(float(np.interp(0.9, lost, levels)), 2),
        "steps": steps,
    }


def turned(session: Session, portraits: Portraits) -> dict[str, object]:
    """Faces by how far they are turned, against frontal ones of the same person."""
    vectors_nd = embed(session, portraits.aligned_nhwc)
    people = np.array(portraits.people)
    frontal = portraits.turn < FRONTAL
    strangers = (vectors_nd[frontal] @ vectors_nd[frontal].T)[people[frontal][:, None] != people[frontal]]
    bar = float(np.quantile(strangers, 1 - 1 / ONCE_IN))
    found = {}
    for low, high in zip(TURNS, (*TURNS[1:], np.inf), strict=True):
        rows = np.flatnonzero((portraits.turn >= low) & (portraits.turn < high))
        same = (people[rows][:, None] == people[frontal]) & (rows[:, None] != np.flatnonzero(frontal))
        cosines = (vectors_nd[rows] @ vectors_nd[frontal].T)[same]
        if len(cosines):
            lost = round(float(np.mean(cosines < bar)), 3)
            found[f"{low:g} to {high:g}"] = {
                "faces": len(rows),
                "cosine": round(float(np.median(cosines)), 3),
                "lost": lost,
            }
    return {"strangers": round(bar, 3), "steps": found}


def main() -> None:
    """All three, set by set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data = os.environ.get("UNMINGLE_DATA")
    parser.add_argument("--data", type=Path, default=data and Path(data), required=data is None)
    parser.add_argument("sets", nargs="+")
    options = parser.parse_args()
    session = embedding.open_sface(EngineSettings(precision="f32"))
    result = {}
    for name in options.sets:
        portraits = read(options.data, name)
        result[name] = {
            "pixels": curve(session, portraits, smaller, PIXELS),
            "blur": curve(session, portraits, blurred, BLURS),
            "turn": turned(session, portraits),
        }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()

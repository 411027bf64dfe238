"""Collections of poor pictures: small faces, strong compression, blur, darkness, in the whole job and beside others.

Pictures of some people of each set are made poorer before anything looks at them, and `unmingle cluster` sorts them.
Sizes are of the main face's box in pixels, all saved as JPEG; "enlarged" are scaled up again to the old size, as
screenshots are; "mixed" draws size, quality, colour, blur and light anew for each picture.

Of each: pictures without a face that is grouped, faces that may only join, people with two faces and more, and BCubed
F over all pictures, where who is lost is a person of their own; and over those that are grouped, beside other methods,
each at the setting that is best for this very collection by its labels. JSON out. Needs the group `bench`.

    python benchmarks/poor_pictures.py --data DATA pins_a sitcom johns lfw_a families_a
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

sys.path.append(str(Path(__file__).with_name("grouping")))

from competitors import COMPETITORS

import unmingle
from degradation import main_faces, owner_of
from unmingle.evaluation.metrics import score
from unmingle.sources.images import scan
from unmingle.store.face_rows import faces_to_group
from unmingle.store.sqlite import open_to_read

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.random import Generator

    from unmingle.records import U8

    # A picture and the side of its main face in pixels to a poorer one, and the quality to save it with.
    Change = Callable[[U8, float, Generator], tuple[U8, int]]

EVERY = {"pins_a": 2, "lfw_a": 8, "families_a": 12}  # one in so many people, of families_a families
METHODS = ("average linkage", "HDBSCAN", "Chinese whispers", "Infomap", "FC-ES")


def shrunk(side: float, *, enlarged: bool = False, quality: int = 50) -> Change:
    """Never larger than it was."""

    def change(picture: U8, face: float, rng: Generator) -> tuple[U8, int]:
        del rng
        factor = min(1.0, side / face)
        height, width = picture.shape[:2]
        size = max(8, round(width * factor)), max(8, round(height * factor))
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        if enlarged:
            small = cv2.resize(_compressed(small, quality), (width, height), interpolation=cv2.INTER_CUBIC)
        return np.asarray(small, np.uint8), quality

    return change


def blurred(share: float) -> Change:
    """By so much of the face's side, the deviation of a Gaussian."""
    return lambda picture, face, rng: (np.asarray(cv2.GaussianBlur(picture, (0, 0), share * face), np.uint8), 70)


def dark(share: float, noise: float) -> Change:
    """So much of the light, with the noise that a camera has then."""

    def change(picture: U8, face: float, rng: Generator) -> tuple[U8, int]:
        del face
        light = picture * share + rng.normal(0, noise, picture.shape)
        return np.clip(light + 0.5, 0, 255).astype(np.uint8), 70

    return change


def mixed(picture: U8, face: float, rng: Generator) -> tuple[U8, int]:
    """Anything."""
    quality = int(rng.integers(30, 90))
    if rng.random() < 0.3:
        picture = np.repeat(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    if rng.random() < 0.25:
        picture, _ = dark(rng.uniform(0.15, 0.6), rng.uniform(2, 8))(picture, face, rng)
    if rng.random() < 0.25:
        picture, _ = blurred(rng.uniform(0.01, 0.035))(picture, face, rng)
    side = float(np.exp(rng.uniform(np.log(20), np.log(120))))
    return shrunk(side, enlarged=rng.random() < 0.5, quality=quality)(picture, face, rng)


WAYS: dict[str, Change] = {
    "as they are": lambda picture, face, rng: (picture, 95),
    "48 pixels": shrunk(48),
    "32 pixels": shrunk(32),
    "24 pixels": shrunk(24),
    "20 pixels": shrunk(20, quality=60),
    "32 pixels, enlarged": shrunk(32, enlarged=True, quality=40),
    "24 pixels, enlarged": shrunk(24, enlarged=True, quality=60),
    "blurred": blurred(0.03),
    "dark": dark(0.15, 4),
    "mixed": mixed,
}


def _compressed(picture: U8, quality: int) -> U8:
    _, coded = cv2.imencode(".jpg", picture[:, :, ::-1], (cv2.IMWRITE_JPEG_QUALITY, quality))
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR)[:, :, ::-1], np.uint8)


def read(folder: Path, every: int) -> tuple[list[U8], list[str], list[float]]:
    """Pictures, whose each is, and the side of its main face; those without a face are left out."""
    files = scan([folder]).files
    group = {name: name.partition("_MID")[0] for name in sorted(set(map(owner_of, files)))}
    chosen = set(sorted(set(group.values()))[::every])
    pictures, people, sides = [], [], []
    for person, picture, faces in main_faces([file for file in files if group[owner_of(file)] in chosen]):
        pictures.append(picture)
        people.append(person)
        sides.append(float(np.sqrt(faces.boxes[0, 2:].prod())))
    return pictures, people, sides


def write(place: Path, way: Change, pictures: list[U8], people: list[str], sides: list[float]) -> None:
    """Poorer pictures, each in its person's folder, under its number."""
    rng = np.random.default_rng(0)
    for i, (picture, person, side) in enumerate(zip(pictures, people, sides, strict=True)):
        changed, quality = way(picture, side, rng)
        file = place / "pictures" / person / f"{i}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(file), changed[:, :, ::-1], (cv2.IMWRITE_JPEG_QUALITY, quality))


def sorted_out(place: Path, people: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What comes of pictures, given whose each is: figures; and the faces that were grouped: vectors, labels, ours."""
    library = unmingle.open(place / "library")
    library.add(place / "pictures")
    library.cluster(sheets=0)
    with open_to_read(place / "library") as store:
        stored = faces_to_group(store)
    at = {face: i for i, face in enumerate(stored.ids.tolist())}
    rows = library.evaluate("folders").faces.drop_nulls("label")
    labels, row_n = np.array(people), np.full(len(people), -1)
    found = np.arange(len(people)) + len(rows)  # who is lost is alone
    for file, face, person in rows.select("file", "id", "person").rows():
        i = int(Path(file).stem)
        row_n[i] = at.get(face, -1)
        if person is not None:
            found[i] = person
    grouped = row_n >= 0
    border_g = ~stored.core[row_n[grouped]]
    told = score(labels, found)
    faces = {"vectors": stored.vectors[row_n[grouped]], "labels": labels[grouped], "ours": found[grouped]}
    return {
        "pictures": len(people),
        "no face": int((~grouped).sum()),
        "border": int(border_g.sum()),
        "of them alone": int(sum(np.count_nonzero(found == one) == 1 for one in faces["ours"][border_g])),
        "people": told.people_true,
        "people found": told.people_found,
        "bcubed_f": round(told.bcubed.f1, 4),
        "pairwise_f": round(told.pairwise.f1, 4),
        "grouped": figures(faces["labels"], faces["ours"]),
    }, faces


def figures(labels_n: Any, found_n: Any) -> dict[str, Any]:
    """Of one grouping."""
    told = score(labels_n, np.asarray(found_n))
    return {
        "bcubed_f": round(told.bcubed.f1, 4),
        "precision": round(told.bcubed.precision, 4),
        "recall": round(told.bcubed.recall, 4),
        "pairwise_f": round(told.pairwise.f1, 4),
        "people found": told.people_found,
    }


def others(faces: dict[str, Any]) -> dict[str, Any]:
    """What other methods make of the same faces, each at its best setting."""
    result = {}
    for name in METHODS:
        tried = []
        for setting in COMPETITORS[name].grid:
            labels_n = np.asarray(COMPETITORS[name].run(faces["vectors"], setting), np.int64)
            alone = labels_n < 0
            labels_n[alone] = labels_n.max(initial=0) + 1 + np.arange(alone.sum())
            tried.append({**figures(faces["labels"], labels_n), "setting": setting})
        result[name] = max(tried, key=lambda one: one["bcubed_f"])
    return result


def main() -> None:
    """All sets in all ways."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data = os.environ.get("UNMINGLE_DATA")
    parser.add_argument("--data", type=Path, default=data and Path(data), required=data is None)
    parser.add_argument("--keep", type=Path, help="keep libraries and embeddings here")
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=list(WAYS), metavar="WAY")
    parser.add_argument("sets", nargs="+")
    options = parser.parse_args()
    result: dict[str, Any] = {}
    for name in options.sets:
        given = read(options.data / name, EVERY.get(name, 1))
        for way in options.ways:
            with tempfile.TemporaryDirectory() as temporary:
                place = Path(temporary) if options.keep is None else options.keep / f"{name} {way}"
                write(place, WAYS[way], *given)
                told, faces = sorted_out(place, given[1])
                if options.keep is not None:
                    np.savez(place / "faces.npz", **faces)
            told["others"] = others(faces)
            result.setdefault(name, {})[way] = told
            best = max(told["others"].items(), key=lambda one: one[1]["bcubed_f"])
            sys.stderr.write(f"{name} {way}: { {k: v for k, v in told.items() if k != 'others'} } best {best}\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()

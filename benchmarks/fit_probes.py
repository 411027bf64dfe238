"""Fit the two readings of faces/quality.py, and say how often they err on what they were not fitted to.

Material, all from DATA (see benchmarks/grouping/embed.py for its layout):

- faces: lfw_a, pins_a and umist, each main face as it is and once more worn by a bad camera, half of these with
  something that is no mask (drawn_masks.py);
- covered faces: the same with a drawn mask, and `masked`, real masks;
- no faces: what the detector half believes in `nonface`, and squares cut at random out of `nonface` and, away from
  every face, out of lfw_a.

Two fits, each on half of the people and pictures, give held-out errors on the other half; meeting, sitcom and johns
are in neither fit. The weights written are fitted to both halves. JSON on stdout: how many aligned squares
there are, of how many pictures, where each is the main face that the product finds, and errors in percent.

    python benchmarks/fit_probes.py --data DATA -o src/unmingle/faces/probes.npz
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from sklearn.linear_model import LogisticRegression

from drawn_masks import with_decoy, with_mask, with_upper_decoy, worn
from unmingle.evaluation.labels import LabelOptions, read_labels
from unmingle.faces.align import SIDE, TEMPLATE_52, align
from unmingle.faces.detect import find_faces
from unmingle.models import embedding, yunet
from unmingle.settings import DetectionSettings, EngineSettings
from unmingle.sources.decoding import decode
from unmingle.sources.images import read_bytes, scan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.random import Generator

    from unmingle.models.runtime import Session
    from unmingle.records import F32, F64, I64, U8, Bool
    from unmingle.sources.images import PictureFile

    Drawn = Callable[[U8, F32, Generator], U8]
    Squares = Iterator[tuple[str, U8]]  # whose, and the aligned square

DRAWN_ON = {"lfw_a": 3000, "pins_a": 1225, "umist": 575}  # pictures
LONGEST = 1200  # pixels: larger pictures are shrunk first
PENALTY = 1e-3  # scikit-learn's C, on features of variance 1
AT_ONCE = 32


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """n aligned squares and what is known of them.

    bands_nd: (n, 2560) float16, see `embedding.describe`.
    half:     (n,) 0 or 1, the same for all of one person or picture.
    covered:  (n,) whether the lower face is covered.
    face:     (n,) whether it is a face at all.
    """

    bands_nd: F32
    half: I64
    covered: Bool
    face: Bool

    @classmethod
    def together(cls, parts: Sequence[Material]) -> Material:
        """One after the other."""
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in cls.__slots__))


class Maker:
    """Makes material of pictures."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.detector: Session = yunet.open_yunet(EngineSettings(precision="f32"))
        self.embedder: Session = embedding.open_sface(EngineSettings(precision="f32"))

    def pictures(self, name: str, count: int = sys.maxsize) -> Iterator[tuple[list[str], list[U8]]]:
        """Evenly spread pictures of a data set, some at a time, with the names of their owners."""
        files = files_of(self.data, name, count)
        for start in range(0, len(files), AT_ONCE):
            part = files[start : start + AT_ONCE]
            yield [owner(name, file.name) for file in part], [shrunk(decode(read_bytes(file))) for file in part]

    def main_faces(self, pictures: Sequence[U8]) -> list[F32 | None]:
        """The landmarks of the main face of each picture, if it has one."""
        found = find_faces(self.detector, pictures, DetectionSettings(crops="always"))
        return [one.faces.points[0] if len(one.faces) else None for one in found]

    def bands(self, aligned: Sequence[U8]) -> F32:
        """(n, 2560) float16, see `embedding.describe`."""
        starts = range(0, len(aligned), AT_ONCE)
        parts = [embedding.describe(self.embedder, np.stack(aligned[i : i + AT_ONCE]))[1] for i in starts]
        return np.concatenate(parts).reshape(len(aligned), -1).astype(np.float16)

    def material(self, squares: Iterable[tuple[str, U8]], *, covered: bool, face: bool) -> Material:
        """Of aligned squares with the name of their person or picture."""
        names, aligned = zip(*squares, strict=True)
        n = len(names)
        halves = np.array([half_of(name) for name in names])
        return Material(self.bands(aligned), halves, np.full(n, covered), np.full(n, face))

    def faces(self, name: str, count: int = sys.maxsize) -> Squares:
        """The main face of each picture, as it is."""
        for owners, pictures in self.pictures(name, count):
            for who, picture, points in zip(owners, pictures, self.main_faces(pictures), strict=True):
                if points is not None:
                    yield who, align(picture, points)

    def drawn(self, name: str, draw: Drawn, rng: Generator) -> Squares:
        """Each main face with something drawn on it, worn, and found anew; lost ones are left out."""
        for owners, pictures in self.pictures(name, DRAWN_ON[name]):
            known = zip(owners, pictures, self.main_faces(pictures), strict=True)
            changed = [
                (who, worn(draw(picture, points, rng), points, rng))
                for who, picture, points in known
                if points is not None
            ]
            for (who, picture), points in zip(changed, self.main_faces([one for _, one in changed]), strict=True):
                if points is not None:
                    yield who, align(picture, points)

    def believed(self, name: str, rng: Generator) -> Squares:
        """What the detector half believes, at three scales, in pictures without a face, and squares at random."""
        for who, picture in self.single(name):
            for side in (96, 224, 448):
                scale = side / max(picture.shape[:2])
                small = np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
                canvas = np.zeros((*(-(-length // 64) * 64 for length in small.shape[:2]), 3), np.uint8)
                canvas[: small.shape[0], : small.shape[1]] = small
                faces = yunet.detect(self.detector, canvas[None], min_score=0.03, max_overlap=0.3)[0]
                for points in faces.points[:4]:
                    yield who, align(picture, (points / scale).astype(np.float32))
            yield from self._squares(who, picture, np.zeros((0, 4)), rng, 6)

    def backgrounds(self, name: str, count: int, rng: Generator) -> Squares:
        """Squares away from every face."""
        for who, picture in self.single(name, count):
            faces = find_faces(self.detector, [picture], DetectionSettings(crops="never", min_score=0.3))[0].faces
            if len(faces):
                yield from self._squares(who, picture, faces.boxes, rng, 4)

    def single(self, name: str, count: int = sys.maxsize) -> Iterator[tuple[str, U8]]:
        """Pictures one by one."""
        for owners, pictures in self.pictures(name, count):
            yield from zip(owners, pictures, strict=True)

    def _squares(self, who: str, picture: U8, boxes_k4: F64, rng: Generator, count: int) -> Squares:
        height, width = picture.shape[:2]
        for _ in range(3 * count):
            side = np.exp(rng.uniform(np.log(16), np.log(0.9 * min(height, width))))
            low = rng.uniform(0, [width - side, height - side])
            apart = (low + side < boxes_k4[:, :2]) | (boxes_k4[:, :2] + boxes_k4[:, 2:] < low)
            if apart.any(axis=1).all():
                points = (TEMPLATE_52 + rng.normal(0, 3, (5, 2))) * side / SIDE + low
                yield who, align(picture, points.astype(np.float32))
                count -= 1
            if not count:
                return


def files_of(data: Path, name: str, count: int = sys.maxsize) -> list[PictureFile]:
    """Evenly spread pictures of a data set."""
    folder = data / name
    files = scan([folder / "faces" if (folder / "faces").is_dir() else folder]).files
    chosen = np.unique(np.linspace(0, len(files) - 1, min(count, len(files))).astype(int))
    return [files[at] for at in chosen]


def shrunk(picture: U8) -> U8:
    """At most so large that a face in it has all the pixels that count."""
    scale = LONGEST / max(picture.shape)
    return (
        np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
        if scale < 1
        else picture
    )


def owner(name: str, file: str) -> str:
    """Whose a picture is: the folder's, where there are folders; else it is its own."""
    return f"{name}/{file.partition('/')[0]}"


def half_of(name: str) -> int:
    return zlib.crc32(name.encode()) % 2


def free(picture: U8, points_52: F32, rng: Generator) -> U8:
    return with_decoy(picture, points_52, rng) if rng.random() < 0.5 else picture


def masked(picture: U8, points_52: F32, rng: Generator) -> U8:
    picture = with_mask(picture, points_52, rng)
    return with_upper_decoy(picture, points_52, rng) if rng.random() < 0.3 else picture


def gather(maker: Maker) -> dict[str, Material]:
    """All material by name; half the fit is on these."""
    rng = np.random.default_rng(0)
    parts: dict[str, Material] = {}
    for name in DRAWN_ON:
        parts[f"{name}, as it is"] = maker.material(maker.faces(name, DRAWN_ON[name]), covered=False, face=True)
        parts[f"{name}, worn"] = maker.material(maker.drawn(name, free, rng), covered=False, face=True)
        parts[f"{name}, drawn masks"] = maker.material(maker.drawn(name, masked, rng), covered=True, face=True)
        sys.stderr.write(f"{name}\n")
    parts["masked"] = maker.material(maker.faces("masked"), covered=True, face=True)
    parts["nonface"] = maker.material(maker.believed("nonface", rng), covered=False, face=False)
    parts["backgrounds of lfw_a"] = maker.material(maker.backgrounds("lfw_a", 700, rng), covered=False, face=False)
    return parts


def unseen(maker: Maker) -> dict[str, Material]:
    """What no fit sees."""
    parts = {name: maker.material(maker.faces(name), covered=False, face=True) for name in ("sitcom", "johns")}
    parts["nonface, found"] = maker.material(maker.faces("nonface"), covered=False, face=False)
    squares = list(maker.faces("meeting"))
    for kind, names in meeting(maker.data).items():
        these = [one for one in squares if Path(one[0]).name in names]
        parts[kind] = maker.material(these, covered="Mask" in kind, face="ID" not in kind)
    return parts


def meeting(data: Path) -> dict[str, set[str]]:
    """The pictures of the meetings by what the workbook says of them."""
    labels = read_labels(data / "meeting" / "annotations.xlsx", LabelOptions())
    kinds = {"meeting": set(labels.files)}
    for one in labels.dropped:
        kinds.setdefault(f"meeting, {one.rule}", set()).add(one.file)
    there = {Path(file.name).name for file in files_of(data, "meeting")}
    return {kind: {Path(name).name for name in names} & there for kind, names in kinds.items()}


def whole_pictures(data: Path) -> dict[str, int]:
    """How many pictures there are behind the faces that are taken as they are."""
    drawn_on = {f"{name}, as it is": len(files_of(data, name, count)) for name, count in DRAWN_ON.items()}
    others = {name: len(files_of(data, name)) for name in ("masked", "sitcom", "johns")}
    nonface = {"nonface, found": len(files_of(data, "nonface"))}
    return drawn_on | others | nonface | {kind: len(names) for kind, names in meeting(data).items()}


def fit(bands_nd: F32, wanted: Bool) -> tuple[F64, float]:
    """Weights of the bands and the constant of a logistic regression in which both classes count alike."""
    x_nd = bands_nd.astype(np.float32)
    mean, deviation = x_nd.mean(0), x_nd.std(0) + 1e-3
    model = LogisticRegression(C=PENALTY, max_iter=1000, class_weight="balanced").fit((x_nd - mean) / deviation, wanted)
    weights = model.coef_[0] / deviation
    return weights, float(model.intercept_[0] - mean @ weights)


def fit_both(material: Material) -> dict[str, tuple[F64, float]]:
    """The two readings."""
    return {
        "covered": fit(material.bands_nd[material.face], material.covered[material.face]),
        "face": fit(material.bands_nd, material.face),
    }


def errors(material: Material, readings: Sequence[dict[str, tuple[F64, float]]]) -> dict[str, float | int]:
    """Percent wrong, each by the reading that did not see its half."""
    told = {}
    for what in ("covered", "face"):
        odds_hn = np.array([material.bands_nd.astype(np.float32) @ one[what][0] + one[what][1] for one in readings])
        told[what] = odds_hn[1 - material.half, np.arange(len(material.half))] > 0
    found: dict[str, float | int] = {"squares": len(material.half)}
    if material.face.all():
        found["called not a face"] = percent(~told["face"])
        found["called covered"] = percent(told["covered"])
    else:
        found["called a face"] = percent(told["face"])
    return found


def percent(share_n: Bool) -> float:
    return round(100 * float(np.mean(share_n)), 2)


def main() -> None:
    """Gather, fit by halves, tell, fit to all, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data = os.environ.get("UNMINGLE_DATA")
    parser.add_argument("--data", type=Path, default=data and Path(data), required=data is None)
    parser.add_argument("-o", "--output", type=Path, help="where to write the weights")
    options = parser.parse_args()
    maker = Maker(options.data)
    parts = gather(maker)
    everything = Material.together(list(parts.values()))
    halves = [
        fit_both(Material(*(getattr(everything, name)[everything.half == half] for name in Material.__slots__)))
        for half in (0, 1)
    ]
    pictures = whole_pictures(options.data)
    result = {
        name: ({"pictures": pictures[name]} if name in pictures else {}) | errors(part, halves)
        for name, part in (parts | unseen(maker)).items()
    }
    if options.output:
        whole = fit_both(everything)
        weights = {name: np.append(weights, constant).astype(np.float32) for name, (weights, constant) in whole.items()}
        np.savez(options.output, **weights)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()

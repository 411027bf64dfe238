"""Whole photographs: how many faces of each size are found in a large one, what else is found, and how long it takes.

Group photographs are made up: faces cut from pictures of one face each (`--faces`, folders below --data) are pasted at
sizes from 12 to 400 pixels on a large background made of pictures without a face (`--empty`). JSON out: recall by the
shorter side of the face's box, the same from looks at the whole picture alone, detections that are no pasted face per
megapixel, and seconds per photograph.

Run it as: python benchmarks/photographs.py --data DATA --faces lfw_a pins_a --empty nonface
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from unmingle.faces.boxes import overlaps
from unmingle.faces.detect import DECIDING, at_scales, find_faces, first_scales
from unmingle.models.yunet import open_yunet
from unmingle.settings import DetectionSettings, EngineSettings
from unmingle.sources.decoding import decode
from unmingle.sources.images import read_bytes, scan
from unmingle.sources.pyramid import Pyramid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unmingle.models.runtime import Session
    from unmingle.records import F32, U8

SIZES = (12, 16, 20, 24, 28, 32, 40, 48, 64, 96, 128, 192, 256, 400)
AROUND = 0.35  # of the face's box, cut with it on every side
SAME = 0.35  # intersection over union from which a found box is the pasted one: small boxes are rough


def cut_faces(session: Session, folders: Sequence[Path], count: int) -> list[tuple[U8, F32]]:
    """Faces with what is around them, and where the face's box lies in the cutting; from evenly spread files."""
    files = [file for folder in folders for file in scan([folder]).files]
    cuttings = []
    for at in np.linspace(0, len(files) - 1, min(count, len(files))).astype(int):
        picture = decode(read_bytes(files[at]))
        faces = find_faces(session, [picture], DetectionSettings(crops="always"))[0].faces
        if not len(faces) or faces.scores[0] < 0.85:
            continue
        left, top, width, height = faces.boxes[0]
        low = np.maximum(np.array([left - AROUND * width, top - AROUND * height]), 0).astype(int)
        high = np.array([left + (1 + AROUND) * width, top + (1 + AROUND) * height]).astype(int)
        cuttings.append((picture[low[1] : high[1], low[0] : high[0]], faces.boxes[0] - [low[0], low[1], 0, 0]))
    return cuttings


def background(pictures: Sequence[U8], width: int, height: int, rng: np.random.Generator) -> U8:
    """Pictures without a face side by side, at one to two times their size."""
    canvas = np.zeros((height, width, 3), np.uint8)
    side = 800
    for top in range(0, height, side):
        for left in range(0, width, side):
            tile = cv2.resize(pictures[int(rng.integers(len(pictures)))], (side, side), interpolation=cv2.INTER_CUBIC)
            part = canvas[top : top + side, left : left + side]
            part[:] = tile[: part.shape[0], : part.shape[1]]
    return canvas


def paste(canvas: U8, cutting: U8, box: F32, size: float, centre: tuple[int, int], turn: float = 0.0) -> F32:
    """Paste a face so that its box's shorter side is `size`, turned by some degrees; returns its upright box there."""
    scale = size / float(box[2:].min())
    middle = box[:2] + box[2:] / 2
    matrix = cv2.getRotationMatrix2D((float(middle[0]), float(middle[1])), turn, scale)
    matrix[:, 2] += np.array(centre) - middle
    height, width = cutting.shape[:2]
    if scale < 1:  # warping alone would alias
        blur = 0.5 * np.sqrt(1 / scale**2 - 1)
        cutting = cv2.GaussianBlur(cutting, (0, 0), blur)
    mask = np.zeros((height, width), np.float32)
    cv2.ellipse(mask, (width // 2, height // 2), (int(width * 0.46), int(height * 0.46)), 0, 0, 360, 1.0, cv2.FILLED)
    mask = cv2.GaussianBlur(mask, (0, 0), 0.03 * width)
    reach = int(size * 2.2)
    low = np.maximum(np.array(centre) - reach, 0)
    high = np.minimum(np.array(centre) + reach, [canvas.shape[1], canvas.shape[0]])
    matrix[:, 2] -= low
    shape = (int(high[0] - low[0]), int(high[1] - low[1]))
    way = cv2.INTER_LINEAR if scale < 1 else cv2.INTER_CUBIC
    alpha = cv2.warpAffine(mask, matrix, shape, flags=cv2.INTER_LINEAR)[..., None]
    face = cv2.warpAffine(cutting, matrix, shape, flags=way)
    part = canvas[low[1] : high[1], low[0] : high[0]]
    part[:] = np.rint(part + alpha * (face.astype(np.float32) - part)).astype(np.uint8)
    extent = box[2:] * scale
    return np.concatenate([np.array(centre) - extent / 2, extent]).astype(np.float32)


def compose(
    cuttings: Sequence[tuple[U8, F32]], canvas: U8, rng: np.random.Generator, *, most: int, turn: float = 0.0
) -> tuple[F32, list[int]]:
    """Paste faces of all sizes where there is room; returns their boxes (n, 4) and the size of each."""
    height, width = canvas.shape[:2]
    taken = np.zeros((height // 8, width // 8), bool)
    boxes, sizes = [], []
    for number in range(most):
        size = SIZES[::-1][number % len(SIZES)]
        reach = int(size * 1.3)
        for _ in range(60 if 2 * reach < min(height, width) else 0):
            x, y = (int(rng.integers(reach, side - reach)) for side in (width, height))
            near = taken[(y - reach) // 8 : (y + reach) // 8 + 1, (x - reach) // 8 : (x + reach) // 8 + 1]
            if near.any():
                continue
            near[:] = True
            cutting, box = cuttings[int(rng.integers(len(cuttings)))]
            boxes.append(paste(canvas, cutting, box, size, (x, y), turn))
            sizes.append(size)
            break
    return np.array(boxes, np.float32).reshape(-1, 4), sizes


def main() -> None:
    """Some photographs of each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--faces", nargs="+", default=["lfw_a", "pins_a"])
    parser.add_argument("--empty", default="nonface")
    parser.add_argument("--widths", nargs="+", type=int, default=[1200, 2000, 4000, 6000])
    parser.add_argument("--photographs", type=int, default=4)
    parser.add_argument("--cuttings", type=int, default=300)
    arguments = parser.parse_args()
    session = open_yunet(EngineSettings(precision="f32"))
    settings = DetectionSettings(crops="never")
    cuttings = cut_faces(session, [arguments.data / name for name in arguments.faces], arguments.cuttings)
    empty = [decode(read_bytes(file)) for file in scan([arguments.data / arguments.empty]).files]
    result = {}
    for width in arguments.widths:
        rng = np.random.default_rng(5)
        hits: dict[int, list[bool]] = {size: [] for size in SIZES}
        without: dict[int, list[bool]] = {size: [] for size in SIZES}
        false, twice, seconds, pixels = 0, 0, 0.0, 0
        for _ in range(arguments.photographs):
            canvas = background(empty, width, width * 3 // 4, rng)
            boxes, sizes = compose(cuttings, canvas, rng, most=max(14, width // 20))
            start = time.perf_counter()
            found = find_faces(session, [canvas], settings)[0].faces
            seconds += time.perf_counter() - start
            same = overlaps(boxes, found.boxes) > SAME
            for size, hit in zip(sizes, same.any(axis=1), strict=True):
                hits[size].append(bool(hit))
            picture = Pyramid(canvas)
            whole = at_scales(session, [picture], [first_scales(picture, largest=DECIDING)], settings)[0]
            whole = whole.take(whole.scores >= settings.min_score)
            for size, hit in zip(sizes, (overlaps(boxes, whole.boxes) > SAME).any(axis=1), strict=True):
                without[size].append(bool(hit))
            false += int((~same.any(axis=0)).sum())
            twice += int((same.sum(axis=1) > 1).sum())
            pixels += canvas.shape[0] * canvas.shape[1]
        result[f"{width} pixels wide"] = {
            "recall": {size: round(float(np.mean(hit)), 3) for size, hit in hits.items() if hit},
            "recall without tiles": {size: round(float(np.mean(hit)), 3) for size, hit in without.items() if hit},
            "faces": {size: len(hit) for size, hit in hits.items()},
            "no pasted face, per megapixel": round(false / pixels * 1e6, 3),
            "found twice": twice,
            "seconds": round(seconds / arguments.photographs, 3),
        }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()

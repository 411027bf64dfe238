"""The one factory of analyses, and of libraries that hold them: made-up faces, made without any model."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from unmingle import jobs
from unmingle.api import Library
from unmingle.records import Analysis, Faces, Triage
from unmingle.settings import GroupingSettings
from unmingle.sources.images import scan
from unmingle.sources.metadata import ORIENTATION
from unmingle.store import analyses
from unmingle.store.file_rows import WALKED
from unmingle.store.sqlite import open_to_write

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from sqlite3 import Connection

    from numpy.typing import ArrayLike

    from unmingle.records import F32

    Box = tuple[float, float, float, float]

RECIPE = "faces-test"


def faces(boxes_n4: ArrayLike, *, score: float = 1.0) -> Faces:
    """Faces in these boxes: left, top, width, height."""
    boxes = np.asarray(boxes_n4, np.float32).reshape(-1, 4)
    n = len(boxes)
    return Faces(boxes, np.ones((n, 5, 2), np.float32), np.full(n, score, np.float32))


def analysis(
    vectors_nd: ArrayLike,
    boxes_n4: ArrayLike | None = None,
    *,
    size: tuple[int, int] | None = None,
    quality: ArrayLike = 1.0,
    thumbnail: bytes = b"",
    triage: Triage | None = None,
) -> Analysis:
    """A picture whose faces have these embeddings; side by side if not told where."""
    vectors: F32 = np.asarray(vectors_nd, np.float32)
    n = len(vectors)
    found = faces([(100 * i, 0, 80, 90) for i in range(n)] if boxes_n4 is None else boxes_n4)
    width, height = size or (100 * n, 100)
    quality_n = np.broadcast_to(np.asarray(quality, np.float32), n).copy()
    return Analysis(width, height, found, vectors, quality_n, (thumbnail,) * n, triage or Triage.alike(n))


def put(connection: Connection, name: str, found: Analysis, *, recipe: str = RECIPE) -> None:
    """A picture, and a file in source 1 that shows it."""
    analyses.add_analysis(connection, name, recipe, "f32", found)
    row = (name.encode(), name, name)
    connection.execute("INSERT OR IGNORE INTO file (source, path, name, digest) VALUES (1, ?, ?, ?)", row)


def empty(folder: Path) -> Path:
    """A library with source 1 and nothing in it."""
    with open_to_write(folder) as store:
        store.recipe = RECIPE
        with store.transaction() as connection:
            connection.execute("INSERT INTO source (id, path) VALUES (1, X'2F')")
    return folder


@dataclass(frozen=True)
class Shot:
    """A picture to make: width and height upright; who is on it and where, upright; a box may reach over the border."""

    name: str
    people: Sequence[int]
    boxes: Sequence[Box]
    size: tuple[int, int] = (400, 300)
    orientation: int = 1


def take(folder: Path, shots: Sequence[Shot], *, first: int = 0) -> None:
    """Write the files, each with a content of its own; first: that of another folder differs by another number."""
    for number, shot in enumerate(shots, first):
        path = folder / shot.name
        path.parent.mkdir(parents=True, exist_ok=True)
        width, height = shot.size if shot.orientation < 5 else shot.size[::-1]
        exif = Image.Exif()
        exif[ORIENTATION] = shot.orientation
        Image.new("RGB", (width, height), (number % 32 * 8, number // 32 * 8, 90)).save(path, exif=exif)


def library(folder: Path, source: Path, shots: Sequence[Shot], *more: tuple[Path, Sequence[Shot]]) -> Library:
    """A library of these shots in `source`, and of more in other sources, grouped."""
    random = np.random.default_rng(5)
    centres = random.normal(size=(50, 64))
    taken = [(source, shots), *more]
    found = {(str(one), shot.name): shot for one, of_one in taken for shot in of_one}
    with open_to_write(folder) as store:
        store.recipe = RECIPE
        store.set_fact(WALKED, json.dumps([str(one) for one, _ in taken]))
        known = analyses.register(store, scan([one for one, _ in taken]), RECIPE)
        with store.transaction() as connection:
            for file, what in known.items():
                status = file.path.stat()
                digest = hashlib.sha256(file.path.read_bytes()).hexdigest()
                analyses.note_read(connection, what.row, status.st_size, status.st_mtime_ns, digest, "")
                analyses.add_analysis(
                    connection, digest, RECIPE, "f32", _analysis(found[file.source, file.name], centres, random)
                )
        jobs.cluster(store, GroupingSettings())
    opened = Library(folder)
    opened.write_views()
    return opened


def _analysis(shot: Shot, centres: np.ndarray, random: np.random.Generator) -> Analysis:
    n = len(shot.people)
    vectors = centres[list(shot.people)] + 0.3 * random.normal(size=(n, 64))
    return analysis(vectors, shot.boxes, size=shot.size, thumbnail=jpeg())


@cache
def jpeg() -> bytes:
    """A small grey picture."""
    buffer = io.BytesIO()
    Image.new("RGB", (112, 112), "grey").save(buffer, "JPEG")
    return buffer.getvalue()

"""Which face of which file a row of labels is of, where its table tells faces apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import TYPE_CHECKING

from unmingle.evaluation.columns import OURS, Columns, Row, cell, place, plain_number
from unmingle.records import BOX
from unmingle.sources.names import bare
from unmingle.sources.regions import LEAST_OVERLAP, MOST_SHARE, Area, area_of, number, overlap

if TYPE_CHECKING:
    import polars as pl

    Face = tuple[str, Area | None, int]  # its number, its place in pixels, and its row


@dataclass(frozen=True, slots=True)
class Place:
    """A face of a file; without a number it is the main one."""

    file: str  # with its source, where the table has one
    frame: str = ""  # of a recording
    face: str = ""
    area: Area | None = field(default=None, compare=False)  # in pixels
    or_main: bool = field(default=False, compare=False)  # where that face isn't there

    @property
    def key(self) -> Place:
        """The same for all writings of one path in a table."""
        file = self.file.replace("\\", "/").removeprefix("./")
        return self if file == self.file else replace(self, file=file)

    def __str__(self) -> str:
        return f"{self.file}{self.frame and f', frame {self.frame}'}, face {self.face}" if self.face else self.file


def places_of(columns: Columns) -> list[Place]:
    """Where each row is of; its file is empty if it has none.

    Faces are told apart by a column `face` with their numbers as in `faces.csv`, where some picture has several there,
    or the table is one of ours. Otherwise a row is of the main face of its file, and so it is where a picture has one
    row only, and no such face: others count from 1, over all pictures, or say yes or no there.
    """
    files = [bare(cell(row, columns.file)) for row in columns.body]
    # A heading that is merged over two rows.
    again = sum(1 for _ in takewhile(bare(columns.header[columns.file]).__eq__, files))
    main = [*[Place("")] * again, *map(Place, files[again:])]
    source, frame, face, *sides = (place(columns.header, None, (one,)) for one in ("source", "frame", "face", *BOX))
    if face is None or face == columns.label:
        return main

    def text(row: Row, column: int | None) -> str:
        found = "" if column is None else plain_number(cell(row, column))
        return found.lstrip("0") or found[:1]  # 0 stays

    told = []
    for row, at in zip(columns.body, main, strict=True):
        origin = "" if source is None or not at.file else bare(cell(row, source))
        file = f"{origin.rstrip('/')}/{at.file}" if origin else at.file
        area = area_of(*(None if side is None else number(cell(row, side)) for side in sides), cornered=True)
        in_pixels = area is not None and max(area) > MOST_SHARE
        told.append(Place(file, text(row, frame), text(row, face) or "0", area if in_pixels else None))
    numbers = all(one.face.isdecimal() and (one.frame or "0").isdecimal() for one in told)
    if not numbers or columns.headings >= OURS:
        return told if numbers else main
    faces_of: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for one in told:
        if one.file:
            faces_of[one.file, one.frame].add(one.face)
    different, count = set[str]().union(*faces_of.values()), sum(map(len, faces_of.values()))
    as_ours = "0" in different and (len(faces_of) == 1 or len(different) < count)  # they don't run over all pictures
    if count == len(faces_of) or not (as_ours or any(one.area for one in told)):
        return main
    return [replace(one, or_main=True) if len(faces_of[one.file, one.frame]) == 1 else one for one in told]


def rows_at(places: Sequence[Place], files: Sequence[int | None], faces: pl.DataFrame) -> list[int | None]:
    """The row of each place in a table of faces, given its file's position there; None if it isn't there.

    Where the place says where the face is, it is there, if possible with that number: another detector numbers others.
    """
    of_file: defaultdict[int, defaultdict[str, list[Face]]] = defaultdict(lambda: defaultdict(list))
    columns = faces.select("file_index", "frame", "face", *BOX).iter_rows()
    for row, (file, frame, face, *box) in enumerate(columns):
        of_file[file]["" if frame is None else str(frame)].append((str(face or 0), area_of(*box, cornered=True), row))

    def row_at(at: Place, file: int | None) -> int | None:
        frames = of_file[file] if file is not None else {}
        # A picture is all of one frame; it may have no number here or there.
        alone = len(frames) == 1 and (not at.frame or "" in frames)
        found = next(iter(frames.values())) if alone else frames.get(at.frame, [])
        numbered = next((row for face, _, row in found if face == at.face), None)
        main = min(found, key=lambda one: int(one[0]))[2] if at.or_main and found else None
        alike = {row: overlap(at.area, area) for _, area, row in found if at.area and area}
        if not alike or (numbered is not None and alike.get(numbered, 0) >= LEAST_OVERLAP):
            return main if numbered is None else numbered
        best = max(alike, key=alike.__getitem__)
        return best if alike[best] >= LEAST_OVERLAP else main

    return [row_at(at, file) for at, file in zip(places, files, strict=True)]

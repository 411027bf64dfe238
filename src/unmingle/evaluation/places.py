"""Which face of which file a row of labels is of, where its table tells faces apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from unmingle.evaluation.columns import OURS, Columns, Row, cell, place, plain_number
from unmingle.records import BOX
from unmingle.sources.names import bare
from unmingle.sources.regions import LEAST_OVERLAP, Area, area_of, number, overlap

if TYPE_CHECKING:
    import polars as pl

    Face = tuple[int | None, Area | None, int]  # its number, its place in pixels, and its row


@dataclass(frozen=True, slots=True)
class Place:
    """A face of a file; without a number it is the main one."""

    file: str  # with its source, where the table has one
    frame: str = ""  # of a recording
    face: str = ""
    area: Area | None = field(default=None, compare=False)  # in pixels

    @property
    def key(self) -> Place:
        """The same for all writings of one path in a table."""
        return replace(self, file=self.file.replace("\\", "/").removeprefix("./"))

    def __str__(self) -> str:
        return f"{self.file}{self.frame and f', frame {self.frame}'}, face {self.face}" if self.face else self.file


def places_of(columns: Columns) -> list[Place]:
    """Where each row is of; its file is empty if it has none.

    Faces are told apart by a column `face` with their numbers as in `faces.csv`, where some picture has several there,
    or the table is one of ours. Otherwise a row is of the main face of its file: others number crops otherwise.
    """
    main = [Place(bare(cell(row, columns.file))) for row in columns.body]
    source, frame, face, *sides = (place(columns.header, None, (one,)) for one in ("source", "frame", "face", *BOX))
    if face is None or face == columns.label:
        return main

    def text(row: Row, column: int | None) -> str:
        return "" if column is None else plain_number(cell(row, column))

    told = []
    for row, at in zip(columns.body, main, strict=True):
        origin = "" if source is None or not at.file else bare(cell(row, source))
        file = f"{origin.rstrip('/')}/{at.file}" if origin else at.file
        area = area_of(*(number(text(row, side)) for side in sides), cornered=True)
        told.append(Place(file, text(row, frame), text(row, face) or "0", area))
    numbers = all(one.face.isdecimal() and (one.frame or "0").isdecimal() for one in told)
    several = len(set(told)) > len({(one.file, one.frame) for one in told})
    return told if numbers and (several or columns.headings >= OURS) else main


def rows_at(places: Sequence[Place], files: Sequence[int | None], faces: pl.DataFrame) -> list[int | None]:
    """The row of each place in a table of faces, given its file's position there; None if it isn't there.

    Where the place says where the face is, it is there, if possible with that number: another detector numbers others.
    """
    of_file: defaultdict[int, defaultdict[int | None, list[Face]]] = defaultdict(lambda: defaultdict(list))
    columns = faces.select("file_index", "frame", "face", *BOX).iter_rows()
    for row, (file, frame, face, *box) in enumerate(columns):
        of_file[file][frame].append((face, area_of(*box, cornered=True), row))

    def row_at(at: Place, file: int | None) -> int | None:
        frames = of_file[file] if file is not None else {}
        # All faces of a picture are of one frame, whatever is told to be its number.
        found = next(iter(frames.values())) if len(frames) == 1 else frames.get(int(at.frame or -1), [])
        numbered = [row for face, _, row in found if (face or 0) == int(at.face)]
        alike = {row: overlap(at.area, area) for _, area, row in found if at.area and area}
        if not alike or alike.get(next(iter(numbered), -1), 0) >= LEAST_OVERLAP:
            return next(iter(numbered), None)
        best = max(alike, key=alike.__getitem__)
        return best if alike[best] >= LEAST_OVERLAP else None

    return [row_at(at, file) for at, file in zip(places, files, strict=True)]

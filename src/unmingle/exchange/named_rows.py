"""The faces that rows of a table mean, by source, file, frame and number, and by place where the table has it."""

from __future__ import annotations

from collections import defaultdict
from itertools import takewhile
from typing import TYPE_CHECKING

from unmingle.evaluation.labels import match_names
from unmingle.sources.names import folded, parts_of
from unmingle.sources.regions import LEAST_OVERLAP, overlap
from unmingle.store import sightings
from unmingle.store.result_tables import faces_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from unmingle.evaluation.labels import NamedFace
    from unmingle.sources.regions import Area
    from unmingle.store.sqlite import Store

NO_FACE = "no face was found there"
NOT_THERE = "not in the library"
SEVERAL = "several files of the library could be meant"
OTHER_FOLDER = "not in the library; a file so called is in another folder there"
ELSEWHERE = "the face is elsewhere in the picture that is so called here"


def match_files(
    rows: Sequence[tuple[str, str]], files: Sequence[tuple[str, str]]
) -> Iterator[tuple[tuple[str, str], int | None, str]]:
    """Each source (or "") and file of a table with the position of the file here, or None and why it has none.

    A source that isn't here has moved to the one whose path ends most like its own. Of several that want one file, as
    when one of them is of a source that is gone, the surest has it.
    """
    names = _as_here(rows, files)
    wanted: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for row, name in zip(rows, names, strict=True):
        wanted[name].append(row)
    matched = match_names(list(wanted), files)
    for i, name in enumerate(wanted):
        at, why = matched.files[i], ""
        if i in matched.ambiguous or len(wanted[name]) > 1:
            at, why = None, SEVERAL
        elif at is None:
            why = NOT_THERE
        elif i in matched.by_name:
            at, why = None, OTHER_FOLDER
        yield from ((row, at, why) for row in wanted[name])


def _as_here(rows: Sequence[tuple[str, str]], files: Sequence[tuple[str, str]]) -> list[str]:
    """What to look for: the whole path, of a moved source that of where it is now, or else the path below it."""
    sources = sorted({source for source, _ in files})
    here = {_join(*file) for file in files}
    below = {folded(file) for _, file in files}
    moved = {source: _moved(source, sources) for source in {source for source, _ in rows}}
    names = []
    for source, file in rows:
        tried = (_join(source, file), _join(moved[source] or source, file))
        fallback = file if folded(file) in below else tried[0]
        names.append(next((name for name in tried if name in here), fallback))
    return names


def _join(source: str, file: str) -> str:
    return f"{source.rstrip('/')}/{file}" if source else file


def _moved(source: str, sources: Sequence[str]) -> str | None:
    """The one source whose path ends most like this one's; None if there is none, or several."""

    def alike(other: str) -> int:
        ends = zip(reversed(parts_of(source)), reversed(parts_of(other)), strict=False)
        return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], ends))

    most = max(map(alike, sources), default=0)
    best = [other for other in sources if alike(other) == most]
    return best[0] if most and len(best) == 1 else None


class FacesOfFiles:
    """The faces of all files, as tables name them; files: (source, name), also of those without a face."""

    def __init__(self, store: Store, recipe: str) -> None:
        columns = ("source", "file", "frame", "face", "id", "left", "top", "width", "height")
        table = faces_table(store, recipe).select(columns)
        found: defaultdict[tuple[str, str], dict[tuple[int | None, int], tuple[int, Area]]] = defaultdict(dict)
        recorded = sightings.names(store, recipe)
        for source, file, frame, face, row, *box in table.iter_rows():
            of_file = found[source, file]
            if row is not None:
                of_file[frame if (source, file) in recorded else None, face] = row, _area(*box)
        self.files = list(found)
        self._of_file = list(found.values())

    def find(self, at: int, row: NamedFace) -> tuple[int | None, str]:
        """The face that a row means in a file, or None and why there is none."""
        faces = self._of_file[at]
        if not faces:
            return None, NO_FACE
        moving = next(iter(faces))[0] is not None
        if moving and not row.frame:
            return None, "a recording: the table needs a column with the frame"
        try:
            frame, number = int(row.frame) if moving else None, int(row.face or 0)
        except ValueError:
            return None, "face or frame is no number"
        face = faces.get((frame, number))
        if row.box is not None:
            return _at_box(_area(*row.box), face, [one for (when, _), one in faces.items() if when == frame])
        return (face[0], "") if face is not None else (None, f"there is no face {number}")


def _at_box(box: Area, face: tuple[int, Area] | None, others: Sequence[tuple[int, Area]]) -> tuple[int | None, str]:
    """The face at a box: the one that has the number if it is there, else the one that overlaps it most."""
    if face is not None and overlap(face[1], box) >= LEAST_OVERLAP:
        return face[0], ""
    best = max(others, key=lambda one: overlap(one[1], box), default=None)
    if best is not None and overlap(best[1], box) >= LEAST_OVERLAP:
        return best[0], ""
    return None, ELSEWHERE


def _area(left: float, top: float, width: float, height: float) -> Area:
    return left + width / 2, top + height / 2, width, height

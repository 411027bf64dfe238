"""The faces that rows of a table mean, by source, file, frame and number, and by place where the table has it."""

from __future__ import annotations

from collections import defaultdict
from itertools import takewhile
from typing import TYPE_CHECKING

from unmingle.evaluation.labels import NamedFace, match_names
from unmingle.sources.names import folded, parts_of
from unmingle.sources.regions import LEAST_OVERLAP, Area, overlap
from unmingle.store import sightings
from unmingle.store.result_tables import faces_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from unmingle.store.sqlite import Store

NO_FACE = "no face was found there"
NOT_THERE = "not in the library"
SEVERAL = "several files of the library could be meant"
OTHER_FOLDER = "not in the library; a file so called is in another folder there"
ELSEWHERE = "the face is elsewhere in the picture that is so called here"

File = tuple[str, str]  # source, or "" where a table has none, and path below it


class FacesOfFiles:
    """The faces of all files, as tables name them."""

    def __init__(self, store: Store, recipe: str) -> None:
        columns = ("source", "file", "frame", "face", "id", "left", "top", "width", "height")
        table = faces_table(store, recipe).select(columns)
        # Of each file, also of one without faces, by frame of a recording and number: the face's row and place.
        self._faces: defaultdict[File, dict[tuple[int | None, int], tuple[int, Area]]] = defaultdict(dict)
        recorded = sightings.names(store, recipe)
        for source, file, frame, face, row, *box in table.iter_rows():
            of_file = self._faces[source, file]
            if row is not None:
                of_file[frame if (source, file) in recorded else None, face] = row, _area(*box)

    def find(self, rows: Sequence[NamedFace]) -> Iterator[tuple[NamedFace, int | None, str]]:
        """Each row with the face that it means, or None and why there is none.

        Of several that want one file, as when one of them is of a source that is gone, the surest has it.
        """
        files = list(self._faces)
        of_name: defaultdict[str, defaultdict[File, list[NamedFace]]] = defaultdict(lambda: defaultdict(list))
        names = _names_here(list(dict.fromkeys((row.source, row.file) for row in rows)), files)
        for row in rows:
            of_name[names[row.source, row.file]][row.source, row.file].append(row)
        matched = match_names(list(of_name), files)
        for i, wanted in enumerate(of_name.values()):
            at, why = matched.files[i], ""
            if i in matched.ambiguous or len(wanted) > 1:
                why = SEVERAL
            elif at is None:
                why = NOT_THERE
            elif i in matched.by_name:
                why = OTHER_FOLDER
            for row in [row for same in wanted.values() for row in same]:
                yield row, *((None, why) if why or at is None else _face(row, self._faces[files[at]]))


def _names_here(rows: Sequence[File], files: Sequence[File]) -> dict[File, str]:
    """What to look for: the whole path, of a moved source that of where it is now, or else the path below it."""
    sources = sorted({source for source, _ in files})
    here = {_join(*file) for file in files}
    below = {folded(file) for _, file in files}
    moved = {source: _moved(source, sources) for source in {source for source, _ in rows}}
    names = {}
    for source, file in rows:
        tried = (_join(source, file), _join(moved[source] or source, file))
        fallback = file if folded(file) in below else tried[0]
        names[source, file] = next((name for name in tried if name in here), fallback)
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


def _face(row: NamedFace, faces: dict[tuple[int | None, int], tuple[int, Area]]) -> tuple[int | None, str]:
    """The face of a file that a row means: where it has a place, one there, if possible with the row's number."""
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
    if row.box is None:
        return (face[0], "") if face else (None, f"there is no face {number}")
    box = _area(*row.box)
    if face and overlap(face[1], box) >= LEAST_OVERLAP:
        return face[0], ""
    others = [one for (when, _), one in faces.items() if when == frame]
    best = max(others, key=lambda one: overlap(one[1], box), default=None)
    return (best[0], "") if best and overlap(best[1], box) >= LEAST_OVERLAP else (None, ELSEWHERE)


def _area(left: float, top: float, width: float, height: float) -> Area:
    return left + width / 2, top + height / 2, width, height

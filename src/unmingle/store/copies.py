"""Faces whose pictures are copies of one another: saved again smaller, recompressed, brighter, with a border.

Copies of a file are one picture by its digest; others are known by their fingerprints, and by their faces: in the same
place, and alike. What was cut or changed more than slightly is another picture of the face, as a moment later is.
Frames of one recording are not compared: where nobody moves, the next frame is the same picture by any measure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from unmingle.faces.boxes import overlaps
from unmingle.faces.duplicates import CELLS, U64, Prints, alike, lay_over
from unmingle.grouping.clusters import unit_rows
from unmingle.grouping.index import find_nearest
from unmingle.records import F32, F64, I64, Bool
from unmingle.store.face_rows import StoredFaces, look_up
from unmingle.store.sqlite import Store

MAX_LEFT = 0.1  # of the contrast, that a copy doesn't explain
MAX_IN_ONE_PLACE = 0.12  # likewise, on average over 3×3 cells of the print: less than a mouth that opens
SAME_PLACE = 0.5  # intersection over union of two boxes of one face
CLEAR = 8  # cells of the print a side, from which it shows what a face does
# Least cosine of a face and its copy: where the print shows the face, it must only be nobody else's; where the face is
# too small for that, it must be all but the same.
COSINE_CLEAR, COSINE_SMALL = 0.4, 0.9
NEAR = 8  # faces that a new one is compared with
PICTURES_AT_ONCE = 4096
PAIRS_AT_ONCE = 2048


def copy_of(store: Store, faces: StoredFaces, recording_n: I64) -> I64 | None:
    """(n,) the row of the best face that each is a copy of, or its own; None: no copies. recording_n: -1 for none."""
    shown = _Shown.read(store, faces)
    found = [np.zeros((0, 2), np.int64)]
    recording = recording_n[shown.rows[shown.start[:-1]]]  # of each picture
    apart = np.where(recording < 0, recording.max(initial=-1) + 1 + np.arange(len(recording)), recording)
    found += [shown.copies(one, other, *how) for one, other, *how, _ in fitting(store, shown.pictures, apart)]
    copies = np.unique(np.sort(np.concatenate(found), axis=1), axis=0)
    return _best(copies, shown.worth_n) if len(copies) else None


def fitting(store: Store, pictures: I64, apart_p: I64) -> Iterator[tuple[int, int, F32, F32, float]]:
    """Pairs of analysed pictures, by their places, of which the one laid over the other shows the same.

    With each what parts their prints show, the map of the one to the other, and what that leaves unexplained. Pictures
    of the same number in `apart_p` are not compared.
    """
    owners, codes = _codes(store, pictures)
    pairs = alike(codes, apart_p[owners])
    for start in range(0, len(pairs), PAIRS_AT_ONCE):
        part = pairs[start : start + PAIRS_AT_ONCE]
        places = np.unique(part)
        of = owners[places]
        prints = Prints.read(_fingerprints(store, pictures[of]))
        chosen = np.searchsorted(prints.owners, np.arange(len(of))) + places - np.searchsorted(owners, of)
        cells, parts = prints.cells[chosen], prints.parts[chosen]
        one, other = np.searchsorted(places, part).T
        for first, second in ((one, other), (other, one)):
            fits = lay_over(cells[first], cells[second])
            for k in np.flatnonzero((fits.left <= MAX_LEFT) & (fits.most <= MAX_IN_ONE_PLACE)).tolist():
                i, j = first[k], second[k]
                yield int(of[i]), int(of[j]), parts[[i, j]], fits.maps[k], float(fits.left[k])


def copy_of_new(store: Store, faces: StoredFaces, new_n: Bool) -> I64 | None:
    """As `copy_of` of pictures, where only the new faces are compared, and only with those that are most like them."""
    kept_n, rows = _kept(store, faces), np.arange(len(faces.ids))
    unit_nd = unit_rows(faces.vectors)
    near = find_nearest(unit_nd[new_n], unit_nd, NEAR).index_qk
    some = np.flatnonzero(np.isin(kept_n, kept_n[np.union1d(near[near >= 0], np.flatnonzero(new_n))]))
    found = copy_of(store, faces.take(some), np.full(len(some), -1))
    kept_n[some] = some if found is None else some[found]
    return None if np.array_equal(kept_n, rows) else kept_n


def _kept(store: Store, faces: StoredFaces) -> I64:
    """(n,) the row of the face of which each is known to be a copy, or its own."""
    pairs = np.array(store.connection.execute('SELECT face, "of" FROM copy').fetchall(), np.int64).reshape(-1, 2)
    order = np.argsort(faces.ids, kind="stable")
    at_k2 = look_up(faces.ids[order], order, pairs.ravel(), -1).reshape(-1, 2)
    at_k2 = at_k2[(at_k2 >= 0).all(axis=1)]
    kept_n = np.arange(len(faces.ids))
    kept_n[at_k2[:, 0]] = at_k2[:, 1]
    return kept_n


def note(store: Store, faces: StoredFaces, copy_of_n: I64 | None, *, beside: bool = False) -> None:
    """Remember which of these faces are copies, and those that have some, for the tables; beside: others stay noted."""
    rows = np.zeros(0, np.int64) if copy_of_n is None else np.flatnonzero(np.bincount(copy_of_n)[copy_of_n] > 1)
    of = rows if copy_of_n is None else copy_of_n[rows]
    with store.transaction() as connection:
        these = str(faces.ids.tolist() if beside else [])
        connection.execute("DELETE FROM copy WHERE ? OR face IN (SELECT value FROM json_each(?))", (not beside, these))
        pairs = zip(faces.ids[rows].tolist(), faces.ids[of].tolist(), strict=True)
        connection.executemany('INSERT INTO copy (face, "of") VALUES (?, ?)', pairs)


def _codes(store: Store, pictures: I64) -> tuple[I64, U64]:
    """All prints of some pictures: whose each is, rising, and its code."""
    owners, codes = [np.zeros(0, np.int64)], [np.zeros(0, np.uint64)]
    for start in range(0, len(pictures), PICTURES_AT_ONCE):
        prints = Prints.read(_fingerprints(store, pictures[start : start + PICTURES_AT_ONCE]))
        owners.append(prints.owners + start)
        codes.append(prints.codes())
    return np.concatenate(owners), np.concatenate(codes)


def _fingerprints(store: Store, pictures: I64) -> list[bytes]:
    query = "SELECT fingerprint FROM json_each(?) JOIN analysis ON analysis.id = value ORDER BY key"
    return [one for (one,) in store.connection.execute(query, (str(pictures.tolist()),))]


@dataclass(frozen=True, slots=True, eq=False)
class _Shown:
    """Where the n faces are in their pictures."""

    pictures: I64  # (p,) rising
    start: I64  # (p + 1,) where the rows of each begin in `rows`
    rows: I64  # (n,) the faces, by picture
    boxes_n4: F64  # left, top, right, bottom as shares of the picture's sides, from -1 to 1
    worth_n: F64  # quality by the picture's sides: what is scaled down is sharper, and yet not the original
    vectors_nd: F32

    @classmethod
    def read(cls, store: Store, faces: StoredFaces) -> _Shown:
        query = (
            'SELECT 2 * "left" / picture_width - 1, 2 * top / picture_height - 1,'
            ' 2 * ("left" + face_row.width) / picture_width - 1, 2 * (top + face_row.height) / picture_height - 1,'
            " quality * (picture_width + picture_height) FROM json_each(?) JOIN face_row ON face = value ORDER BY key"
        )
        found = store.connection.execute(query, (str(faces.ids.tolist()),)).fetchall()
        table = np.array(found, np.float64).reshape(-1, 5)
        pictures, sizes = np.unique(faces.pictures, return_counts=True)
        start = np.concatenate([[0], np.cumsum(sizes)])
        rows = np.argsort(faces.pictures, kind="stable")
        return cls(pictures, start, rows, table[:, :4], table[:, 4], faces.vectors)

    def copies(self, one: int, other: int, parts_24: F32, map_4: F32) -> I64:
        """(m, 2) rows of two pictures that are copies, given which parts their prints show, and their map."""
        of_one, of_other = (self.rows[self.start[at] : self.start[at + 1]] for at in (one, other))
        there = _in_part(self.boxes_n4[of_one], parts_24[0])
        mine = _in_part(self.boxes_n4[of_other], parts_24[1])
        a, b, c, d = map_4
        moved = mine * [1 + a, 1 + c, 1 + a, 1 + c] + [b, d, b, d]
        pairs = np.argwhere(overlaps(_sides(there), _sides(moved)) >= SAME_PLACE)
        same = [self._same(of_one[i], of_other[j], mine[j]) for i, j in pairs.tolist()]
        chosen = pairs[np.array(same, np.bool_)]
        return np.stack([of_one[chosen[:, 0]], of_other[chosen[:, 1]]], axis=1)

    def _same(self, one: int, other: int, box: F64) -> bool:
        first, second = self.vectors_nd[one], self.vectors_nd[other]
        cosine = float(first @ second / np.sqrt((first @ first) * (second @ second)))
        clear = (box[2:] - box[:2]).min() * CELLS / 2 >= CLEAR
        return cosine >= (COSINE_CLEAR if clear else COSINE_SMALL)


def _in_part(boxes_n4: F64, part: F32) -> F64:
    """Boxes of a picture in a part of it (left, top, width, height as shares), again from -1 to 1."""
    shares = (boxes_n4 + 1) / 2
    return np.asarray((shares - part[[0, 1, 0, 1]]) / part[[2, 3, 2, 3]] * 2 - 1)


def _sides(boxes_n4: F64) -> F64:
    """Boxes left, top, right, bottom as left, top, width, height."""
    return np.concatenate([boxes_n4[:, :2], boxes_n4[:, 2:] - boxes_n4[:, :2]], axis=1)


def _best(copies_k2: I64, worth_n: F64) -> I64:
    """(n,) the best original of each row: no copy of another itself, so that a chain of small changes is not one."""
    rank_n = np.empty(len(worth_n), np.int64)
    rank_n[np.lexsort((np.arange(len(worth_n)), -worth_n))] = np.arange(len(worth_n))
    better: dict[int, list[int]] = defaultdict(list)
    for one, other in copies_k2.tolist():
        worse, best = (one, other) if rank_n[one] > rank_n[other] else (other, one)
        better[worse].append(best)
    of_n = np.arange(len(worth_n))
    for worse in sorted(better, key=rank_n.__getitem__):
        originals = [row for row in better[worse] if of_n[row] == row]
        if originals:
            of_n[worse] = min(originals, key=rank_n.__getitem__)
    return of_n

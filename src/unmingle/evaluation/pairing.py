"""Which face of one library is which face of another: by what pictures hold, and by where faces are on them.

Libraries know nothing of each other's rows. What they share are pictures: the same content, or, where contents differ
(saved again, or not readable), the same name relative to their sources. On a picture that both have, faces are paired
by overlap, in the best assignment of all (Kuhn 1955).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unmingle.faces.boxes import overlaps
from unmingle.records import check_shape
from unmingle.sources.names import folded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from unmingle.records import F64, I64

# A box that comes so near to the size of the picture, as a share of its area, is the picture.
WHOLE = 0.99


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """Where n faces are.

    picture_n: (n,) int64, the picture, or the frame of a recording, that each is on.
    number_n:  (n,) int64, which face of it; the lowest is the main one.
    box_n4:    (n, 4) float64, left, top, width, height in shares of the picture, so that its size doesn't count.
    """

    picture_n: I64
    number_n: I64
    box_n4: F64

    def __post_init__(self) -> None:
        check_shape("picture_n", self.picture_n, (None,))
        check_shape("number_n", self.number_n, (len(self.picture_n),))
        check_shape("box_n4", self.box_n4, (len(self.picture_n), 4))


def pair_faces(first: Boxes, second: Boxes, *, least: float) -> I64:
    """The faces that are one and the same.

    On each picture: the one-to-one assignment with the largest sum of overlaps, and of it the pairs that overlap
    enough. Where one side has the whole picture for its only face, as the classic recipe does, that is the main face.

    Args:
        first: n faces.
        second: m faces, on the same numbering of pictures.
        least: intersection over union below which two boxes are two faces.

    Returns:
        (k, 2) int64, positions in the first and in the second, by picture.
    """
    others = by_picture(second.picture_n)
    pairs = [
        _pairs_on_one(first, second, rows, others[picture], least)
        for picture, rows in by_picture(first.picture_n).items()
        if picture in others
    ]
    return np.concatenate([np.zeros((0, 2), np.int64), *pairs])


def by_picture(picture_n: I64) -> dict[int, I64]:
    """The positions that each picture has, by rising picture."""
    order = np.argsort(picture_n, kind="stable")
    pictures, starts = np.unique(picture_n[order], return_index=True)
    return dict(zip(pictures.tolist(), np.split(order, starts[1:]), strict=False))


def _pairs_on_one(first: Boxes, second: Boxes, rows: I64, others: I64, least: float) -> I64:
    """The pairs on one picture."""
    one, other = first.box_n4[rows], second.box_n4[others]
    if np.array_equal(one, other):  # by far the most pictures of two libraries of one recipe
        return np.column_stack([rows, others])
    if _is_whole(one) != _is_whole(other):
        main, other_main = rows[first.number_n[rows].argmin()], others[second.number_n[others].argmin()]
        return np.array([[main, other_main]])
    overlap = overlaps(one, other)
    if overlap.size == 1:
        at, to = np.zeros((2, 1), np.int64)
    else:
        from scipy.optimize import linear_sum_assignment

        at, to = linear_sum_assignment(overlap, maximize=True)
    enough = overlap[at, to] >= least
    return np.column_stack([rows[at[enough]], others[to[enough]]])


def _is_whole(box_n4: F64) -> bool:
    """Whether the only box is the picture."""
    width, height = np.minimum(box_n4[0, :2] + box_n4[0, 2:], 1) - np.maximum(box_n4[0, :2], 0)
    return len(box_n4) == 1 and bool(width * height >= WHOLE)


def pair_pictures(first: Mapping[str, list[str]], second: Mapping[str, list[str]]) -> list[tuple[str, str]]:
    """The pictures that both have: those of the same content, and of the rest those of the same name.

    A name counts whatever its letter case and Unicode form, if it means one picture on each side.

    Args:
        first: the names of each picture, relative to their sources, by its content.
        second: likewise.

    Returns:
        (content, content) by name; the same twice unless they were paired by name.
    """
    pairs = {content: content for content in first if content in second}
    taken = set(pairs)
    names, other_names = _by_name(first), _by_name(second)
    for name in sorted(names.keys() & other_names.keys()):
        (one, *more), (other, *others) = names[name], other_names[name]
        if not (more or others or one in pairs or other in taken):
            pairs[one] = other
            taken.add(other)
    # By the name that comes first on either side: so the order is the same when the sides change places.
    return sorted(pairs.items(), key=lambda pair: (min([*first[pair[0]], *second[pair[1]]]), min(pair)))


def _by_name(side: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """The contents that each name means."""
    found: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for content, names in side.items():
        for name in names:
            found[folded(name)][content] = None
    return {name: list(contents) for name, contents in found.items()}

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
import polars as pl

from unmingle.faces.boxes import overlaps
from unmingle.records import check_shape
from unmingle.sources.names import folded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unmingle.records import F64, I64

WHOLE = 0.99  # a box that comes so near to the size of the picture, as a share of its area, is the picture
OF_A_SIDE = ("face", "id", "person", "name", "status", "reason", "quality")
FRAME = ["picture", "instant"]


def pair_pictures(first: pl.DataFrame, second: pl.DataFrame) -> list[tuple[str, str]]:
    """The pictures that both have, as (content, content): those of the same content, and of the rest of the same name.

    A name counts whatever its letter case and Unicode form, if it means one picture on each side.

    Args:
        first: rows with `content`, and `file`, the name relative to the source.
        second: likewise.
    """
    of_first, of_second = _contents(first), _contents(second)
    pairs = {content: content for content in of_first if content in of_second}
    taken = set(pairs)
    names, other_names = _by_name(of_first), _by_name(of_second)
    for name in sorted(names.keys() & other_names.keys()):
        (one, *more), (other, *others) = names[name], other_names[name]
        if not (more or others or one in pairs or other in taken):
            pairs[one] = other
            taken.add(other)
    # By the name that comes first on either side: so the order is the same when the sides change places.
    return sorted(pairs.items(), key=lambda pair: (min([*of_first[pair[0]], *of_second[pair[1]]]), min(pair)))


def _contents(faces: pl.DataFrame) -> dict[str, list[str]]:
    """The names of each content."""
    named = faces.group_by("content").agg(pl.col("file").unique().sort())
    return dict(named.sort(pl.col("file").list.first(), "content").iter_rows())


def _by_name(side: dict[str, list[str]]) -> dict[str, list[str]]:
    """The contents that each name means."""
    found: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for content, names in side.items():
        for name in names:
            found[folded(name)][content] = None
    return {name: list(contents) for name, contents in found.items()}


def shared(faces: pl.DataFrame, contents: Sequence[str]) -> pl.DataFrame:
    """The rows of pictures that both have, with their number."""
    schema = {"content": pl.String, "picture": pl.Int64}
    numbers = pl.DataFrame({"content": contents, "picture": range(len(contents))}, schema=schema)
    return faces.join(numbers, on="content", maintain_order="left")


def found(faces: pl.DataFrame) -> pl.DataFrame:
    """The rows that are faces, without those of files that have none."""
    return faces.filter(pl.col("face").is_not_null())


def seen_by_both(a: pl.DataFrame, b: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Without the frames that only one looked at.

    Which frames were looked at is known of those with a face only. So of a recording that the two looked at in other
    steps, the frames count in which both found somebody.
    """
    every = a.select("picture", "every").unique().join(b.select("picture", "every").unique(), on="picture")
    uneven = every.filter(pl.col("every") != pl.col("every_right"))["picture"].implode()
    frames_a, frames_b = (found(one).select(FRAME).unique() for one in (a, b))
    both = frames_a.join(frames_b, on=FRAME)
    first, second = (
        pl.concat(
            [
                one.filter(~pl.col("picture").is_in(uneven)),
                one.filter(pl.col("picture").is_in(uneven)).join(both, on=FRAME, how="semi"),
            ]
        )
        for one in (a, b)
    )
    return first, second


def side_by_side(a: pl.DataFrame, b: pl.DataFrame, least: float) -> pl.DataFrame:
    """One row per face that either found."""
    spots = pl.concat([a.select(FRAME), b.select(FRAME)]).unique().sort(FRAME).with_row_index("spot")
    found_a, found_b = (found(one).join(spots, on=FRAME, maintain_order="left") for one in (a, b))
    pairs = pair_faces(_boxes(found_a), _boxes(found_b), least=least)
    alone_a, alone_b = (np.setdiff1d(np.arange(one.height), pairs[:, i]) for i, one in enumerate((found_a, found_b)))
    common = ["picture", "instant", "file", "source", "frame"]
    of_a, of_b = ([pl.col(name).alias(f"{name}_{side}") for name in OF_A_SIDE] for side in "ab")
    both = [found_a[pairs[:, 0]].select(*common, *of_a), found_b[pairs[:, 1]].select(of_b)]
    paired = pl.concat(both, how="horizontal")
    only_a = found_a[alone_a].select(*common, *of_a).join(_why_none(b, "b"), on="picture", how="left")
    only_b = found_b[alone_b].select(*common, *of_b).join(_why_none(a, "a"), on="picture", how="left")
    rows = pl.concat([paired, only_a, only_b], how="diagonal").with_columns(
        pl.when(pl.col(f"face_{side}").is_null())
        .then(pl.col(f"reason_{side}").fill_null("no face was found there"))
        .otherwise(pl.col(f"reason_{side}"))
        for side in "ab"
    )
    # An order that is the same when the sides change places.
    numbers = ("face_a", "face_b")
    return rows.sort("picture", "instant", pl.min_horizontal(numbers), pl.max_horizontal(numbers), maintain_order=True)


def _why_none(faces: pl.DataFrame, side: str) -> pl.DataFrame:
    """Status and reason of the pictures in which no face was found."""
    none = faces.filter(pl.col("face").is_null()).unique("picture", keep="first", maintain_order=True)
    return none.select("picture", pl.col("status").alias(f"status_{side}"), pl.col("reason").alias(f"reason_{side}"))


def _boxes(found: pl.DataFrame) -> Boxes:
    box = found.select("left", "top", "width", "height").to_numpy().astype(np.float64).reshape(-1, 4)
    return Boxes(found["spot"].to_numpy().astype(np.int64), found["face"].to_numpy().astype(np.int64), box)


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
    others = _by_picture(second.picture_n)
    pairs = [
        _pairs_on_one(first, second, rows, others[picture], least)
        for picture, rows in _by_picture(first.picture_n).items()
        if picture in others
    ]
    return np.concatenate([np.zeros((0, 2), np.int64), *pairs])


def _by_picture(picture_n: I64) -> dict[int, I64]:
    """The positions that each picture has, by rising picture."""
    order = np.argsort(picture_n, kind="stable")
    pictures, starts = np.unique(picture_n[order], return_index=True)
    return dict(zip(pictures.tolist(), np.split(order, starts[1:]), strict=False))


def _pairs_on_one(first: Boxes, second: Boxes, rows: I64, others: I64, least: float) -> I64:
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

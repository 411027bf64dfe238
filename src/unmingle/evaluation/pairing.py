"""Which face of one library is which face of another: by what pictures hold, and by where faces are on them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import polars as pl

from unmingle.faces.boxes import overlaps
from unmingle.records import F64, I64
from unmingle.sources.names import folded

WHOLE = 0.99  # a box that comes so near to the size of the picture, as a share of its area, is the picture
OF_A_SIDE = ("face", "id", "person", "name", "status", "reason", "quality")
FRAME = ["picture", "instant"]
BOX = ("left", "top", "width", "height")


def pair_pictures(first: pl.DataFrame, second: pl.DataFrame) -> list[tuple[str, str]]:
    """The pictures that both have, as (content, content): those of the same content, and of the rest of the same name.

    A name (`file`) counts whatever its letter case and Unicode form, if it means one picture on each side.
    """
    of_first, of_second = (
        dict(one.group_by("content").agg(pl.col("file").unique().sort()).iter_rows()) for one in (first, second)
    )
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


def _by_name(names_of: dict[str, list[str]]) -> dict[str, set[str]]:
    """The contents that each name means."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for content, names in names_of.items():
        for name in names:
            found[folded(name)].add(content)
    return found


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
    frames = found(a).select(FRAME).unique().join(found(b).select(FRAME).unique(), on=FRAME)
    first, second = (
        pl.concat(
            [
                one.filter(~pl.col("picture").is_in(uneven)),
                one.filter(pl.col("picture").is_in(uneven)).join(frames, on=FRAME, how="semi"),
            ]
        )
        for one in (a, b)
    )
    return first, second


def side_by_side(a: pl.DataFrame, b: pl.DataFrame, least: float) -> pl.DataFrame:
    """One row per face that either found."""
    spots = pl.concat([a.select(FRAME), b.select(FRAME)]).unique().sort(FRAME).with_row_index("spot")
    found_a, found_b = (found(one).join(spots, on=FRAME, maintain_order="left") for one in (a, b))
    pairs = pair_faces(found_a, found_b, least=least)
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


def pair_faces(first: pl.DataFrame, second: pl.DataFrame, *, least: float) -> I64:
    """The faces that are one and the same, as (k, 2) int64 rows of the two tables.

    On each `spot`, a picture or a frame: the one-to-one assignment with the largest sum of overlaps (Kuhn 1955), and of
    it the pairs with an intersection over union of `least`. Where one side has the whole picture for its only face, as
    the classic recipe does, that is the main face, which has the lowest number.
    """
    from scipy.optimize import linear_sum_assignment

    spots = [one.with_row_index("row").group_by("spot").agg("row") for one in (first, second)]
    both = spots[0].join(spots[1], on="spot").sort("spot").drop("spot")
    (box_n4, number_n), (box_m4, number_m) = (
        (one.select(BOX).to_numpy().astype(np.float64), one["face"].to_numpy()) for one in (first, second)
    )
    pairs = [np.zeros((0, 2), np.int64)]
    for rows, others in (map(np.array, lists) for lists in both.iter_rows()):
        one, other = box_n4[rows], box_m4[others]
        if np.array_equal(one, other):  # by far the most pictures of two libraries of one recipe
            at = to = np.arange(len(rows))
        elif _is_whole(one) != _is_whole(other):
            at, to = number_n[rows].argmin(keepdims=True), number_m[others].argmin(keepdims=True)
        else:
            overlap = overlaps(one, other)
            at, to = linear_sum_assignment(overlap, maximize=True)
            enough = overlap[at, to] >= least
            at, to = at[enough], to[enough]
        pairs.append(np.column_stack([rows[at], others[to]]))
    return np.concatenate(pairs)


def _is_whole(box_n4: F64) -> bool:
    """Whether the only box is the picture."""
    if len(box_n4) > 1:
        return False
    width, height = np.minimum(box_n4[0, :2] + box_n4[0, 2:], 1) - np.maximum(box_n4[0, :2], 0)
    return bool(width * height >= WHOLE)

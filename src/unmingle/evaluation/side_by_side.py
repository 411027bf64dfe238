"""The faces of two libraries in one table, a row for each face that either found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from unmingle.evaluation.pairing import Boxes, pair_faces

if TYPE_CHECKING:
    from collections.abc import Sequence

OF_A_SIDE = ("face", "id", "person", "name", "status", "reason", "quality")


def names(faces: pl.DataFrame) -> dict[str, list[str]]:
    """The names of each content."""
    named = faces.group_by("content").agg(pl.col("file").unique().sort())
    return dict(named.sort(pl.col("file").list.first(), "content").iter_rows())


def shared(faces: pl.DataFrame, contents: Sequence[str]) -> pl.DataFrame:
    """The rows of pictures that both have, with their number."""
    numbers = pl.DataFrame(
        {"content": contents, "picture": range(len(contents))}, schema={"content": pl.String, "picture": pl.Int64}
    )
    return faces.join(numbers, on="content", maintain_order="left")


def each_once(faces: pl.DataFrame) -> pl.DataFrame:
    """Each face once, however many files show it."""
    return faces.unique(["picture", "instant", "face"], keep="first", maintain_order=True)


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
    frame = ["picture", "instant"]
    frames_a, frames_b = (found(one).select(frame).unique() for one in (a, b))
    both = frames_a.join(frames_b, on=frame)
    first, second = (
        pl.concat(
            [
                one.filter(~pl.col("picture").is_in(uneven)),
                one.filter(pl.col("picture").is_in(uneven)).join(both, on=frame, how="semi"),
            ]
        )
        for one in (a, b)
    )
    return first, second


def side_by_side(a: pl.DataFrame, b: pl.DataFrame, least: float) -> pl.DataFrame:
    """One row per face that either found."""
    frame = ["picture", "instant"]
    spots = pl.concat([a.select(frame), b.select(frame)]).unique().sort(frame).with_row_index("spot")
    found_a, found_b = (found(one).join(spots, on=frame, maintain_order="left") for one in (a, b))
    pairs = pair_faces(_boxes(found_a), _boxes(found_b), least=least)
    alone_a, alone_b = (np.setdiff1d(np.arange(one.height), pairs[:, i]) for i, one in enumerate((found_a, found_b)))
    common = ["picture", "instant", "file", "source", "frame"]
    of_a = {name: f"{name}_a" for name in OF_A_SIDE}
    of_b = {name: f"{name}_b" for name in OF_A_SIDE}
    paired = pl.concat(
        [
            found_a[pairs[:, 0]].select(*common, *OF_A_SIDE).rename(of_a),
            found_b[pairs[:, 1]].select(*OF_A_SIDE).rename(of_b),
        ],
        how="horizontal",
    )
    only_a = found_a[alone_a].select(*common, *OF_A_SIDE).rename(of_a).join(_why_none(b, "b"), on="picture", how="left")
    only_b = found_b[alone_b].select(*common, *OF_A_SIDE).rename(of_b).join(_why_none(a, "a"), on="picture", how="left")
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

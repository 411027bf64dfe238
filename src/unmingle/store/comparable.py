"""The faces of a library in terms that other libraries share: the content of pictures, and shares of their size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from unmingle.store.tables import faces_table, source_text

if TYPE_CHECKING:
    from unmingle.store.sqlite import Store

_FILES = """
SELECT file.name, source.path, file.digest, coalesce(recording.width, analysis.width),
       coalesce(recording.height, analysis.height), recording.every
FROM file
JOIN source ON source.id = file.source
LEFT JOIN analysis ON analysis.digest = file.digest AND analysis.recipe = ?
LEFT JOIN recording ON recording.content = file.digest AND recording.recipe = ?
WHERE file.present = 1
"""


def comparable_faces(store: Store, recipe: str) -> pl.DataFrame:
    """The table `faces_table`, with boxes in shares of the picture, and three more columns.

    content: digest of the file; where it could not be read, its name, which is nobody else's content.
    instant: the frame of a recording; -1 on a picture, whatever its name says.
    every:   seconds between the frames of a recording that were looked at; empty for a picture.
    """
    rows = [
        (name, source_text(path), digest or f"{source_text(path)}/{name}", width or 1, height or 1, every)
        for name, path, digest, width, height, every in store.connection.execute(_FILES, (recipe, recipe))
    ]
    schema = {
        **dict.fromkeys(("file", "source", "content"), pl.String),
        **dict.fromkeys(("across", "down", "every"), pl.Float64),
    }
    files = pl.DataFrame(rows, schema=schema, orient="row").unique(["file", "source"], keep="first")
    faces = faces_table(store, recipe).join(files, on=["file", "source"], how="left", maintain_order="left")
    return faces.with_columns(
        *(pl.col(name) / pl.col("across") for name in ("left", "width")),
        *(pl.col(name) / pl.col("down") for name in ("top", "height")),
        pl.when(pl.col("every").is_null()).then(-1).otherwise(pl.col("frame").fill_null(-1)).alias("instant"),
    ).drop("across", "down")

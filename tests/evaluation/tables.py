"""Tables of faces as a library has them, and labels of their files."""

from typing import Any

import polars as pl

from unmingle.evaluation.labels import Labels
from unmingle.evaluation.scores import Evaluation, evaluate
from unmingle.store.result_tables import FACES


def face(file: str, person: int | None, **more: Any) -> dict[str, Any]:
    status = "clustered" if person is not None else "not_a_face"
    row = dict.fromkeys((*FACES, "meeting")) | {"file": file, "source": "/s", "face": 0, "person": person}
    return row | {"status": status, "reason": "", "width": 10.0, "height": 10.0, "score": 0.9, "quality": 0.5} | more


def table(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=FACES | {"meeting": pl.String})


def evaluated(*faces: tuple[str, int | None, float]) -> Evaluation:
    """The scores of files with a face each, given who it is, the person it was put with, and its quality."""
    rows = [face(f"{i}.jpg", person, quality=quality) for i, (_, person, quality) in enumerate(faces)]
    return evaluate(table(*rows), Labels("x", tuple(row["file"] for row in rows), tuple(who for who, *_ in faces)))

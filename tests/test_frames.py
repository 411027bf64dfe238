"""Tables for those who work with pandas."""

from __future__ import annotations

import re
import sys

import numpy as np
import polars as pl
import pytest

import unmingle
from unmingle.errors import MissingExtraError
from unmingle.store.result_tables import FACES


def test_numbers_stay_whole_and_texts_stay_texts() -> None:
    frame = pl.DataFrame(
        {
            "person": [3, None],
            "faces": [7, 8],
            "name": ["Zoë", None],
            "score": [0.5, None],
            "live": [True, False],
            "known": [True, None],
            "vector": pl.Series([[1.0, 2.0], [3.0, 4.0]], dtype=pl.Array(pl.Float32, 2)),
        }
    )
    made = unmingle.to_pandas(frame)
    assert [str(kind) for kind in made.dtypes] == ["Int64", "int64", "object", "float64", "bool", "object", "object"]
    assert made["person"].tolist()[0] == 3
    assert made["person"].isna().tolist() == [False, True]
    assert made["name"].tolist() == ["Zoë", None]
    assert made["known"].tolist() == [True, None]
    assert np.isnan(made["score"][1])
    assert np.stack(made["vector"]).tolist() == [[1.0, 2.0], [3.0, 4.0]]
    made.loc[0, "faces"] = 9  # a frame of its own
    assert frame["faces"][0] == 7


def test_an_empty_table_keeps_its_columns() -> None:
    made = unmingle.to_pandas(pl.DataFrame(schema=FACES))
    assert list(made.columns) == list(FACES)
    assert len(made) == 0


def test_without_pandas_the_line_to_run_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtraError, match=re.escape("Run: pip install 'unmingle[pandas]'")):
        unmingle.to_pandas(pl.DataFrame())

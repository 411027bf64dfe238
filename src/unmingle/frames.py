"""Tables for those who work with pandas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unmingle.errors import MissingExtraError

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl


def to_pandas(frame: pl.DataFrame) -> pd.DataFrame:
    """A table of a library as a pandas frame, without PyArrow.

    Whole numbers stay whole where some are missing, as pandas' `Int64`; a missing text is None; each row of an array is
    an array. MissingExtraError: pandas is not installed.
    """
    try:
        import pandas as pd
    except ModuleNotFoundError as error:
        if error.name != "pandas":
            raise
        raise MissingExtraError("pandas", "pandas", "to make pandas frames") from error
    return pd.DataFrame({column.name: _values(column) for column in frame})


def _values(column: pl.Series) -> Any:
    import pandas as pd
    import polars as pl

    if column.dtype.is_integer() and column.null_count():
        return pd.arrays.IntegerArray(column.fill_null(0).to_numpy().copy(), column.is_null().to_numpy().copy())
    if column.dtype.is_numeric():
        return column.to_numpy().copy()
    if column.dtype.is_nested():
        return pd.Series(list(column.to_numpy()), dtype=object)
    whole = column.dtype == pl.Boolean and not column.null_count()
    return pd.Series(column.to_list(), dtype=bool if whole else object)

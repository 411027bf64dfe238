"""Workbooks (.xlsx, .xls, .ods, …) as rows of text, through fastexcel (calamine)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unmingle.errors import LabelsError

if TYPE_CHECKING:
    from collections.abc import Iterator

ZIP = b"PK\x03\x04"  # .xlsx, .xlsm, .xlsb, .ods
OLE2 = bytes.fromhex("D0CF11E0A1B11AE1")  # .xls, and every encrypted .xlsx
# Office puts an encrypted workbook into an OLE2 container, as a stream of this name ([MS-OFFCRYPTO] 2.3.4.4).
ENCRYPTED_STREAM = "EncryptedPackage".encode("utf-16-le")

Rows = tuple[tuple[str, ...], ...]


def open_workbook(data: bytes, name: str) -> Iterator[tuple[str, bool, Rows]]:
    """Each sheet's name, whether it is hidden, and its rows; in order, hidden ones last, each read when its turn comes.

    Numbers are text as the sheet stores them: 1.0 and 1 are both "1". A cell that is empty, or holds an error, is "".

    Args:
        data: the bytes of the file.
        name: what to call it in an error.

    Raises:
        LabelsError: it is protected by a password, damaged, or not a workbook.
    """
    import fastexcel

    if data.startswith(OLE2) and ENCRYPTED_STREAM in data:
        raise protected(name)
    try:
        reader = fastexcel.read_excel(data)
        lazy = [reader.load_sheet(i, header_row=None, n_rows=0) for i in range(len(reader.sheet_names))]
        order = sorted(range(len(lazy)), key=lambda i: (lazy[i].visible != "visible", i))
        for i in order:
            frame = reader.load_sheet(i, header_row=None, dtypes="string").to_polars()
            rows = tuple(tuple(cell or "" for cell in row) for row in frame.iter_rows())
            yield reader.sheet_names[i], lazy[i].visible != "visible", rows
    except fastexcel.FastExcelError as error:
        if "password" in str(error).lower():
            raise protected(name) from error
        mend = "Open it in a spreadsheet program and save it again as .xlsx."
        raise LabelsError(f"{name} is not a workbook, or a damaged one.", mend) from error


def protected(name: str) -> LabelsError:
    """The error for a workbook that can't be opened without its password."""
    return LabelsError(f"{name} is protected by a password.", "Save a copy without one and pass that.")

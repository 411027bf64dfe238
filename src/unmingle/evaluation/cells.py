"""Cells of a table as text: without what can't be seen, numbers in one form, words for nobody as nothing."""

from __future__ import annotations

import re
import unicodedata

from unmingle.sources.paths import bare

WHOLE_NUMBER = re.compile(r"([+-]?[0-9]+)\.0*")
MIDNIGHT = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})[ T]00:00:00")  # what a date without a time is read as
NOBODY = frozenset({"nan", "none", "null", "n/a", "#n/a", "unknown", "unlabeled", "unlabelled", "?", "-"})
YES = frozenset({"y", "yes", "true"})


def cell(row: tuple[str, ...], column: int) -> str:
    """A cell of a row that may be too short."""
    return row[column] if column < len(row) else ""


def plain_number(text: str) -> str:
    """The text without spaces around it; a whole number without its decimals: 1.0 is "1", 001 stays; a date as such."""
    text = bare(text)
    found = WHOLE_NUMBER.fullmatch(text) or MIDNIGHT.fullmatch(text)
    return found[1] if found else text


def label_of(text: str) -> str:
    """Whom a cell names; empty for nobody."""
    text = plain_number(text)
    return "" if text.casefold() in NOBODY else text


def same(text: str) -> str:
    """A key under which labels are one that differ in letter case, width, or Unicode form only."""
    return unicodedata.normalize("NFKC", text).casefold()


def fold(heading: str) -> str:
    """A heading without case, spaces, underscores, hyphens, and differences of width: "File Name" is "filename"."""
    return "".join(sign for sign in same(bare(heading)) if not sign.isspace() and sign not in "_-")

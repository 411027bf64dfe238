"""What people are called, and how names are kept."""

from __future__ import annotations

import unicodedata

from unmingle.errors import DecisionError
from unmingle.text_layout import counted

LONGEST_NAME = 200

_JOINERS = "\u200c\u200d"
# Marks of direction, spaces without width, and the like, which come along when a name is copied.
_UNSEEN = frozenset("\u00ad\u061c\u180e\u200b\u200e\u200f\u2060\ufeff")
# Embeddings, overrides and isolates turn text around; the rest is deprecated, or of no text.
_TURNING = frozenset(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x2070), *range(0xFFF9, 0xFFFC))))


def label(person: int, name: str) -> str:
    """What a person is called: the name that was given, or a number; a name that looks like one is told from it."""
    return f"{name} (Person {person})" if name.isdecimal() else name or f"Person {person}"


def count(faces: int) -> str:
    """So many faces."""
    return counted(faces, "face")


def clean_name(name: str) -> str:
    """A name as it is kept: single spaces, composed letters, no marks that nobody sees; whatever script it is in.

    Joiners stay within a word, where Persian, Sinhala and emoji are spelled with them.
    """
    seen = "".join(sign for sign in unicodedata.normalize("NFC", name) if sign not in _UNSEEN)
    words = (word.strip(_JOINERS) for word in seen.split())
    cleaned = " ".join(word for word in words if word)
    if len(cleaned) > LONGEST_NAME:
        raise DecisionError(f"A name has at most {LONGEST_NAME} characters.", "Choose a shorter one.")
    wrong = next((sign for sign in cleaned if _refused(sign)), "")
    if wrong:
        raise DecisionError(
            f"The signs of a name are all of them printable: U+{ord(wrong):04X} is not.", "Leave it out."
        )
    if name.strip() and not cleaned:
        raise DecisionError("That name has no sign that shows.", "Choose another one.")
    return cleaned


def _refused(sign: str) -> bool:
    """Whether no name has such a sign; letters that a newer Unicode has, and private ones, are none of them."""
    nothing = ord(sign) & 0xFFFE == 0xFFFE or 0xFDD0 <= ord(sign) <= 0xFDEF
    return nothing or sign in _TURNING or unicodedata.category(sign) in ("Cc", "Cs")

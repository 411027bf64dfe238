"""Delimited text (.csv, .tsv, …) as rows of text, whatever its encoding and delimiter."""

from __future__ import annotations

import codecs
import csv
import io

from unmingle.errors import LabelsError

DELIMITERS = ",;\t|"
BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
MEND = "Save it as UTF-8 (in a spreadsheet program: 'CSV UTF-8') and pass that."

Rows = tuple[tuple[str, ...], ...]


def parse_text(data: bytes, name: str) -> tuple[Rows, str]:
    """Rows and how they were read.

    Args:
        data: the bytes of the file, not empty.
        name: what to call it in an error.

    Raises:
        LabelsError: it is not text in an encoding that is known here, or not a table.
    """
    text, encoding = decode(data, name)
    text, delimiter = split_off_hint(text)
    delimiter = delimiter or find_delimiter(text)
    try:
        rows = tuple(tuple(row) for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise LabelsError(f"{name} is not a table of text: {error}.", "Check its quotes, or save it again.") from error
    return rows, f"{encoding}, separated by {delimiter!r}"


def decode(data: bytes, name: str) -> tuple[str, str]:
    """Text and the name of the encoding that it was in.

    In this order: a byte order mark; UTF-16 without one (told by its zeros); UTF-8; then Shift JIS or
    Windows-1252 (which holds Latin-1's letters), told apart by `looks_japanese`.

    Raises:
        LabelsError: none of them fits, or what comes out is no text.
    """
    encoding = guess_encoding(data)
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise LabelsError(f"{name} is not text in a known encoding.", MEND) from error
    # File names may hold control signs; of bytes whose encoding is only guessed they say that it is no text.
    surely = encoding in {"utf-8", "utf-8-sig"}
    if any(sign < " " and sign not in "\t\n\r\f\v" and (sign == "\0" or not surely) for sign in set(text)):
        raise LabelsError(f"{name} is not text in a known encoding.", MEND)
    return text, "utf-8" if encoding == "utf-8-sig" else encoding


def guess_encoding(data: bytes) -> str:
    """The likeliest encoding; whether it fits shows when it is used."""
    for mark, encoding in BOMS:
        if data.startswith(mark):
            return encoding
    # Every ASCII sign of UTF-16 has one zero byte, on the same side; no other text has any.
    if len(data) % 2 == 0 and data.count(0) > len(data) // 4:
        return "utf-16-le" if data[1::2].count(0) > data[::2].count(0) else "utf-16-be"
    if fits(data, "utf-8"):
        return "utf-8"
    return "cp932" if looks_japanese(data) else "cp1252"


def fits(data: bytes, encoding: str) -> bool:
    """Whether the bytes are valid in an encoding."""
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def looks_japanese(data: bytes) -> bool:
    """Whether bytes that are not UTF-8 are Shift JIS rather than a western encoding.

    Both accept nearly everything. But kana and the common kanji start with a byte of 0x81 to 0x9F, which the western
    encodings leave to rare punctuation, and western letters with accents are 0xC0 to 0xFF.
    """
    if not fits(data, "cp932"):
        return False
    signs = [sign.encode("cp932") for sign in set(data.decode("cp932")) if sign > "\x7f"]
    common = sum(0x81 <= sign[0] <= 0x9F for sign in signs)
    return common * 2 >= len(signs)


def split_off_hint(text: str) -> tuple[str, str]:
    """The text without Excel's first line "sep=;", and the delimiter that it names ("" when there is none)."""
    first, _, rest = text.partition("\n")
    hint = first.rstrip("\r")
    if len(hint) == len("sep=") + 1 and hint.lower().startswith("sep="):
        return rest, hint[-1]
    return text, ""


def find_delimiter(text: str) -> str:
    """The delimiter that is most frequent in the header, outside quotes; a comma when there is none."""
    header = next((line for line in text.splitlines() if line.strip()), "")
    bare = "".join(header.split('"')[::2])
    return max(DELIMITERS, key=bare.count)

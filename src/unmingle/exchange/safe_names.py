"""Names for files and folders that every system can hold: Windows, macOS and Linux, and what syncs between them."""

from __future__ import annotations

import unicodedata

from unmingle.text_layout import shows

# What Windows takes for devices, whatever the ending. Superscript digits count as digits there.
_RESERVED = frozenset(
    {"con", "prn", "aux", "nul", "conin$", "conout$"}
    | {f"{port}{digit}" for port in ("com", "lpt") for digit in "0123456789¹²³"}
)
_FORBIDDEN = frozenset('<>:"/\\|?*')
LONGEST = 100  # characters: a folder and a file in it leave room in the 260 that a Windows path has
LONGEST_ENDING = 20  # characters with the dot: what is longer behind a dot is no ending
_LONGEST_BYTES = 200  # of UTF-8: Linux allows 255, and a number or a further ending may come behind


def safe(name: str, *, ending: bool = True) -> str:
    """A name like this one that can be a file's or folder's everywhere, the same each time; an ending is kept whole."""
    name = unicodedata.normalize("NFC", name)
    name = "".join("_" if sign in _FORBIDDEN or not shows(sign) else sign for sign in name)
    stem, dot, tail = name.rpartition(".") if ending else (name, "", "")
    if not stem or len(tail) >= LONGEST_ENDING:
        stem, dot, tail = name, "", ""
    # Windows drops dots and spaces at the end, and a dot in front hides a file elsewhere.
    tail = (dot + tail).rstrip(". ")
    stem = stem.strip(" ") if tail else stem.strip(" ").rstrip(". ")
    if stem.startswith("."):
        stem = "_" + stem[1:]
    stem = _cut(stem, LONGEST - len(tail), _LONGEST_BYTES - len(tail.encode())).rstrip(" " if tail else ". ") or "_"
    if stem.partition(".")[0].rstrip(" ").casefold() in _RESERVED:
        stem = f"_{stem}"
    return stem + tail


def key(name: str) -> str:
    """What two names share that some file system takes for one: letter case and Unicode form don't tell them apart."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())


class Names:
    """The names that are taken in one folder."""

    def __init__(self, *taken: str) -> None:
        self._taken = {key(name) for name in taken}

    def take(self, name: str, *, ending: bool = True) -> str:
        """A safe name like this one that nobody has yet; a number is put behind one that is taken."""
        free, number = safe(name, ending=ending), 2
        stem, dot, tail = free.rpartition(".") if ending and "." in free else (free, "", "")
        while key(free) in self._taken:
            free, number = f"{stem}-{number}{dot}{tail}", number + 1
        self._taken.add(key(free))
        return free


def _cut(text: str, characters: int, size: int) -> str:
    """The beginning of a text, of at most so many characters and bytes, not cut between a letter and its accent."""
    cut = text[: max(characters, 1)]
    while len(cut.encode()) > size:
        cut = cut[:-1]
    while cut != text and len(cut) > 1 and (unicodedata.combining(cut[-1]) or cut[-1] in "\u200c\u200d"):
        cut = cut[:-1]
    return cut

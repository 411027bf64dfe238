"""Names of files: none stops anything or says who is with whom, and people's names come back through every export."""

from __future__ import annotations

import os
import shutil
from functools import cache
from typing import TYPE_CHECKING

from fuzzing.mutants import Outcome, chance, check_rows, portrait
from madeup.portraits import encode
from unmingle.api import Library
from unmingle.errors import UnmingleError
from unmingle.settings import EngineSettings

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

SET = 40  # names that share a folder
# Four people are there often, the other eight once or twice.
WHO = tuple(place % 4 if place < 28 else 4 + place % 8 for place in range(SET))
LONGEST = 255  # bytes of a name


@cache
def picture(place: int) -> bytes:
    """The picture of a place in the set; each shows one person, and no two were taken together."""
    return encode(portrait(WHO[place], 50 + place), 90)


class Names:
    """A set has one scheme of names; the same pictures under neutral names say what the grouping has to be."""

    def __init__(self) -> None:
        self._neutral: dict[tuple[int, ...], frozenset[frozenset[int]]] = {}

    def run(self, folder: Path, numbers: Sequence[int], seed: int) -> Outcome:
        """See `Kind.run`."""
        draw = chance(seed, "names", -1 - numbers[0] // SET)
        order = list(range(SET))
        draw.shuffle(order)
        scheme = draw.choice(SCHEMES)(draw, [WHO[place] for place in order])
        names = list(scheme)
        source = folder / "pictures"
        made, places = {}, {}
        for number in numbers:
            name = _free(source, names[number % SET], number)
            path = os.path.join(os.fsencode(source), name)  # noqa: PTH118  # bytes that are no text
            os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
            with open(path, "wb") as file:  # noqa: PTH123
                file.write(picture(order[number % SET]))
            shown = name.decode("utf-8", "backslashreplace")
            made[shown], places[shown] = number, order[number % SET]
        outcome = Outcome()
        library = _grouped(folder / "library", source)
        faces = library.faces
        for name, rows in check_rows(faces, made, outcome).items():
            if rows and rows[0]["status"] == "unreadable":
                outcome.blame(made[name], "whole_but_refused", f"{name[-20:]}: {rows[0]['reason']}")
        found = _partition(
            (places[row["file"]], row["person"]) for row in faces.iter_rows(named=True) if row["file"] in places
        )
        wanted = self._wanted(folder, tuple(sorted(places.values())))
        if found != wanted:
            what = f"{len(wanted)} people under neutral names, {len(found)} under names like {next(iter(made))!r}"
            outcome.blame(numbers[0], "names_decide", what)
        _round_trip(library, folder, numbers[0], outcome)
        return outcome

    def _wanted(self, folder: Path, places: tuple[int, ...]) -> frozenset[frozenset[int]]:
        """The people among these pictures when their names say nothing."""
        if places not in self._neutral:
            neutral = folder / "neutral"
            neutral.mkdir()
            for place in places:
                (neutral / f"{'abcdefgh'[place % 8]}{'klmnopqrst'[place // 8]}.jpg").write_bytes(picture(place))
            library = _grouped(folder / "neutral-library", neutral)
            at = {f"{'abcdefgh'[place % 8]}{'klmnopqrst'[place // 8]}.jpg": place for place in places}
            rows = library.faces.select("file", "person").iter_rows()
            self._neutral[places] = _partition((at[file], person) for file, person in rows)
        return self._neutral[places]


def _grouped(folder: Path, source: Path) -> Library:
    library = Library(folder, views="on request")
    library.add(source, engine=EngineSettings(threads=1))
    library.cluster(sheets=0)
    return library


def _partition(rows: Iterator[tuple[int, int | None]]) -> frozenset[frozenset[int]]:
    people: dict[int, set[int]] = {}
    for place, person in rows:
        if person is not None:
            people.setdefault(person, set()).add(place)
    return frozenset(frozenset(one) for one in people.values())


def _round_trip(library: Library, folder: Path, number: int, outcome: Outcome) -> None:
    """Each person gets a name, which has to come back from every export into a library that knows no names."""
    if not library.people.height:
        return
    shutil.copytree(library.folder, folder / "other")
    for person in library.people["person"].to_list():
        library.name(person, f"Person {person}")
    wanted = _named(library)
    for to in ("csv", "xlsx", "xmp", "folders"):
        exported = library.export(to, folder / to)
        if to == "folders":
            files = sum(1 for path in (folder / to).rglob("*") if path.is_file()) - 1
            if files != len(wanted):
                outcome.blame(number, "lost_in_export", f"{files} of {len(wanted)} files in folders")
            continue
        shutil.rmtree(folder / "back", ignore_errors=True)
        shutil.copytree(folder / "other", folder / "back")
        back = Library(folder / "back", views="on request")
        source = {"csv": folder / to / "faces.csv", "xlsx": folder / to / "unmingle.xlsx"}.get(to, folder / to)
        try:
            imported = back.import_names(source)
        except UnmingleError as error:
            outcome.blame(number, "lost_in_export", f"{to}: {error}")
            continue
        lost = wanted.items() - _named(back).items()
        if len(lost) > len(exported.left_out):
            left = f"; {imported.left[0].why}" if imported.left else ""
            outcome.blame(number, "lost_in_export", f"{to}: {len(lost)} of {len(wanted)} names{left}")


def _named(library: Library) -> dict[tuple[str, int], str]:
    return {(file, face): name for file, face, name in library.faces.select("file", "face", "name").iter_rows() if name}


def _free(source: Path, name: str | bytes, number: int) -> bytes:
    """A name that the file system takes and that no other file has, as bytes."""
    content = name if isinstance(name, bytes) else name.encode("utf-8", "surrogatepass")
    content = content.replace(b"\0", b"_").lstrip(b"./")
    *above, last = [part[:LONGEST] for part in content.split(b"/") if part not in (b"", b".", b"..")] or [b"x"]
    last = last.lstrip(b".") or b"x"  # else it is hidden, and passed over
    stem, dot, ending = last.rpartition(b".")
    if not dot or not stem or ending.lower() not in (b"jpg", b"jpeg"):
        last = last[: LONGEST - 4].rstrip(b".") + b".jpg"
        last = last if last.strip(b".") != b"jpg" else b"x.jpg"
    whole = b"/".join([*(part.lstrip(b".") or b"d" for part in above), last])
    path = os.path.join(os.fsencode(source), whole)  # noqa: PTH118
    if os.path.lexists(path) or any(os.path.isfile(os.path.join(os.fsencode(source), one)) for one in above):  # noqa: PTH113, PTH118
        return f"{number}.jpg".encode()
    return whole


# Schemes: names for a sequence of pictures, of which it is known whom each shows

SIGNS = (
    "\n\t\r\x01\x1b\x7f\u200b\u200d\u200c\u202e\u2028\ufeff\u00ad\u0301\u0308\ufffd\U0001f600\U0001f468\u200d\U0001f469"
    "'\"`$;&|<>()[]{}!*?#%@=+,~^\\: -–—.äÅßıİﬁ中文字ابپעבरसि๐१０Ａ"
)
RESERVED = (
    "CON", "nul", "PRN.txt", "AUX", "COM1", "lpt9", "~", "~root", "$HOME", "-", "--help", "-o", "*", "?", "a.jpg",
    "%s", "%00", "desktop.ini", "Thumbs.db", "faces.csv", "library.sqlite", "manifest.csv", "None", "nan", "=1+1",
    "@x", "http://x", "a.jpg.xmp",
)  # fmt: skip


def _wild(draw: random.Random, people: list[int]) -> Iterator[str | bytes]:
    for _ in people:
        yield draw.choice(_WILD)(draw)


_WILD: tuple[Callable[[random.Random], str | bytes], ...] = (
    lambda draw: "".join(draw.choice(SIGNS) for _ in range(draw.choice((1, 3, 12)))) + ".jpg",
    lambda draw: (
        "".join(
            chr(draw.choice((draw.randrange(1, 0x250), draw.randrange(0x250, 0xD800), draw.randrange(0xE000, 0x11000))))
            for _ in range(draw.choice((1, 5, 30)))
        )
        + ".jpg"
    ),
    lambda draw: draw.randbytes(draw.choice((1, 4, 30))).replace(b"/", b"_") + b".jpg",
    lambda draw: "x" * (LONGEST - draw.choice((4, 4, 5, 8, 10, 40))) + ".jpg",
    lambda draw: draw.choice("éß中😀").encode() * 63 + b".jpg",
    lambda draw: draw.choice(RESERVED) + draw.choice(("", ".jpg", ".JPG", "_1.jpg")),
    lambda draw: f"{draw.choice(RESERVED)}/{draw.randrange(99)}.jpg",
    lambda draw: draw.choice(("ü", "u\u0308", "Ü", "ﬁ", "fi", "Å", "Å")) + f"{draw.randrange(3)}.jpg",
    lambda draw: draw.choice(("IMG_1.JPG", "img_1.jpg", "IMG_1.jpg", "a/IMG_1.jpg", "A/IMG_1.jpg", "b/c/IMG_1.jpg")),
    lambda draw: "".join(f"{draw.choice(SIGNS)}/" for _ in range(draw.choice((1, 3)))) + f"{draw.randrange(999)}.jpg",
    lambda draw: (
        draw.choice((" ", "  ", "\u3000", "\xa0"))
        + f"{draw.randrange(9)}"
        + draw.choice((" ", ".", "..", " ."))
        + ".jpg"
    ),
    lambda draw: f"{draw.randrange(10 ** draw.choice((1, 4, 8, 20)))}.jpg",
)
PREFIXES = (
    "IMG", "DSC", "DSCF", "P", "PXL", "Trip_2019", "Party_2020", "scan", "Scan_2021", "BURST", "frame", "meeting",
    "img", "photo", "WhatsApp Image", "20190101", "DCIM/100APPLE/IMG", "a_1", "7f4a3c", "зал", "cam1_2019-01-01",
)  # fmt: skip
WIDTHS = (1, 2, 3, 4, 4, 5, 6, 8, 8, 8)


def _counted(draw: random.Random, people: list[int]) -> Iterator[str | bytes]:
    """PREFIX_NUMBER_NUMBER, where the numbers mean whatever cameras, albums, scanners and bursts mean by them."""
    prefix = draw.choice(PREFIXES)
    first, second = draw.choice(WIDTHS), draw.choice((1, 1, 1, 2, 3))
    order, start, step = draw.randrange(7), draw.choice((0, 1, 1200, 2019)), draw.choice((1, 1, 2, 30))
    joint = draw.choice("__-")
    seen: dict[int, int] = {}
    for place, person in enumerate(people):
        mine = seen[person] = seen.get(person, -1) + 1
        frame, index = (
            (person, mine),  # an album of each person
            (place // 8, place % 8),  # a burst, in which somebody may be twice
            (place, 0),
            (place, mine),
            (2019, place),
            (draw.randrange(12), place),
            (place // 3, draw.randrange(10)),
        )[order]
        yield f"{prefix}_{start + step * frame:0{first}}{joint}{index:0{second}}.jpg"


def _album(draw: random.Random, people: list[int]) -> Iterator[str | bytes]:
    """NAME_YEAR_NUMBER, all pictures of a person in an album of their own."""
    seen: dict[int, int] = {}
    width = draw.choice((1, 2, 3))
    folders = draw.random() < 0.3
    for person in people:
        mine = seen[person] = seen.get(person, 0) + 1
        name = f"{PREFIXES[person]}_{2010 + person}_{mine:0{width}}.jpg"
        yield f"{person}/{name}" if folders else name


def _meeting(draw: random.Random, people: list[int]) -> Iterator[str | bytes]:
    """The names of a meeting's crops, though none is."""
    meeting = f"{draw.getrandbits(64):016x}"
    restart = draw.random() < 0.5
    frame = index = 0
    for place, _ in enumerate(people):
        yield f"{meeting}_{frame * draw.choice((1, 2, 2)):08d}_{index if restart else place}.jpg"
        index += 1
        if draw.random() < 0.3:
            frame, index = frame + 1, 0


SCHEMES = (_wild, _wild, _counted, _counted, _counted, _album, _meeting)

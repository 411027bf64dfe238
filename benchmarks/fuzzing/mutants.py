"""What all kinds of mutants share: chance that a number decides alone, damage to bytes, and what is told of a batch."""

from __future__ import annotations

import random
import traceback
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from madeup.cast import CAST
from madeup.people import Look, Person
from madeup.portraits import render

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import polars as pl

SIDE = 128  # pixels of a made-up face
ODD_NUMBERS = (0, 1, 2, 3, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
STATUSES = frozenset({"clustered", "alone", "not_a_face", "masked", "low_quality", "ignored", "unreadable"})
NO_FACE = frozenset({"not_a_face", "unreadable"})


@dataclass
class Outcome:
    """What became of a batch.

    read:    mutants that were taken in.
    refused: mutants that were turned away with a reason.
    faults:  (number, fault, what) of those that went wrong.
    """

    read: int = 0
    refused: int = 0
    faults: list[tuple[int, str, str]] = field(default_factory=list)

    def blame(self, number: int, fault: str, what: str) -> None:
        """Note a fault of a mutant."""
        self.faults.append((number, fault, what))


class Kind(Protocol):
    """A kind of mutants."""

    def run(self, folder: Path, numbers: Sequence[int], seed: int) -> Outcome:
        """Make the mutants in an empty folder, hand them over, and look at what came of it.

        What is raised is a fault of one of them, or of several together.
        """
        ...


def spare_networks() -> None:
    """Let networks be loaded once, and run once for the same pixels: mutants are many, what they show is not."""
    from unmingle.faces import recipe
    from unmingle.sources.decoding import name_of
    from unmingle.sources.pyramid import Pyramid

    recipe.open_yunet = cache(recipe.open_yunet)
    recipe.embedding.open_sface = cache(recipe.embedding.open_sface)
    analyse = recipe.FaceRecipe.analyse
    known: dict[tuple[Any, ...], Any] = {}

    def analyse_once(self: recipe.FaceRecipe, pictures: Sequence[np.ndarray[Any, Any] | Pyramid]) -> list[Any]:
        keys = [(self.key, name_of(Pyramid.of(picture))) for picture in pictures]
        new = {key: picture for key, picture in zip(keys, pictures, strict=True) if key not in known}
        known.update(zip(new, analyse(self, list(new.values())), strict=True))
        return [known[key] for key in keys]

    recipe.FaceRecipe.analyse = analyse_once  # type: ignore[method-assign]


def chance(seed: int, kind: str, number: int) -> random.Random:
    """The chance of one mutant, the same whatever else is made."""
    return random.Random(f"{seed} {kind} {number}")


def portrait(person: int, look: int, size: int = SIDE) -> np.ndarray[Any, Any]:
    """A made-up face, (size, size, 3)."""
    return render(Person.from_seed(CAST[person % len(CAST)]), Look.from_seed(look), size)


def damage(content: bytes, draw: random.Random, other: bytes = b"") -> bytes:
    """Bytes with one to three things done to them."""
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        content = draw.choice(DAMAGES)(bytearray(content), draw, other)
    return content


def _flip(content: bytearray, draw: random.Random, other: bytes) -> bytes:
    for _ in range(draw.choice((1, 1, 2, 4, 16)) if content else 0):
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    return bytes(content)


def _random_bytes(content: bytearray, draw: random.Random, other: bytes) -> bytes:
    start = _place(content, draw)
    content[start : start + draw.choice((1, 2, 8, 64))] = draw.randbytes(draw.choice((1, 2, 8, 64)))
    return bytes(content)


def _insert(content: bytearray, draw: random.Random, other: bytes) -> bytes:
    start = _place(content, draw)
    content[start:start] = draw.choice((b"\0", b"\xff")) * draw.choice((1, 3, 100)) if draw.random() < 0.5 else b"\n"
    return bytes(content)


def _delete(content: bytearray, draw: random.Random, other: bytes) -> bytes:
    start = _place(content, draw)
    del content[start : start + draw.choice((1, 2, 16, 256))]
    return bytes(content)


def _cut(content: bytearray, draw: random.Random, other: bytes) -> bytes:
    return bytes(content[: _place(content, draw)])


def _double(content: bytearray, draw: random.Random, other: bytes) -> bytes:
    start = _place(content, draw)
    piece = content[start : start + draw.choice((4, 32, 512))]
    at = _place(content, draw)
    content[at:at] = piece
    return bytes(content)


def _splice(content: bytearray, draw: random.Random, other: bytes) -> bytes:
    return bytes(content[: _place(content, draw)]) + other[_place(other, draw) :]


def _number(content: bytearray, draw: random.Random, other: bytes) -> bytes:
    """A number that is odd in the place of another: sizes, counts and offsets stand near the beginning."""
    width = draw.choice((1, 2, 4))
    at = _place(content, draw) if draw.random() < 0.3 else draw.randrange(max(1, min(len(content), 200)))
    odd = draw.choice(ODD_NUMBERS) & ((1 << 8 * width) - 1)
    content[at : at + width] = odd.to_bytes(width, draw.choice(("big", "little")))
    return bytes(content)


def _place(content: bytes | bytearray, draw: random.Random) -> int:
    """Anywhere, but oftener near the beginning, where headers are."""
    return int(len(content) * draw.random() ** draw.choice((1, 4)))


DAMAGES: tuple[Callable[[bytearray, random.Random, bytes], bytes], ...] = (
    _flip,
    _flip,
    _random_bytes,
    _insert,
    _delete,
    _cut,
    _double,
    _splice,
    _number,
    _number,
)


def check_rows(faces: pl.DataFrame, numbers: dict[str, int], outcome: Outcome) -> dict[str, list[dict[str, Any]]]:
    """Whether every file has its rows, and each row a status and, without a face, a reason.

    Args:
        faces: in the columns of `faces.csv`.
        numbers: of the mutants, by the file's name in the table.
        outcome: is told of faults, and of what was read and refused.

    Returns:
        The rows of each file.
    """
    rows: dict[str, list[dict[str, Any]]] = {file: [] for file in numbers}
    strangers = []
    for row in faces.iter_rows(named=True):
        rows.get(row["file"], strangers).append(row)
    if strangers:
        outcome.blame(min(numbers.values()), "odd_rows", f"rows of other files, such as {strangers[0]['file']!r}")
    for file, found in rows.items():
        number = numbers[file]
        if not found:
            outcome.blame(number, "lost_rows", "no row")
        for row in found:
            if row["status"] not in STATUSES:
                outcome.blame(number, "odd_rows", f"status {row['status']!r}")
            if row["status"] in NO_FACE and not (row["reason"] or "").strip():
                outcome.blame(number, "odd_rows", f"{row['status']} without a reason")
        refused = bool(found) and all(row["status"] == "unreadable" for row in found)
        outcome.refused += refused
        outcome.read += bool(found) and not refused
    return rows


def signature(error: BaseException) -> str:
    """An error in one line: its type, where in the program it came from, and what it says."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/unmingle/" in frame.filename] or frames
    last = ours[-1]
    where = f"{last.filename.rpartition('/unmingle/')[2]}:{last.lineno} {last.name}"
    inner = (
        f" ({frames[-1].filename.rpartition('site-packages/')[2]}:{frames[-1].lineno})" if frames[-1] != last else ""
    )
    return f"{type(error).__name__} in {where}{inner}: {str(error)[:160]}"

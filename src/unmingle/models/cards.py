"""Model cards: what must be known of a network before its output is trusted, and the catalogue of those known."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from importlib.resources import files
from math import isfinite
from typing import TYPE_CHECKING, Any, Literal, get_args

from unmingle.errors import ModelError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

Colour = Literal["rgb", "bgr"]
Packing = Literal["zip", "bz2"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """How an embedding takes faces that are aligned to the 112×112 five-point template.

    A pixel p from 0 to 255 goes in as (p - mean) / scale, with the channels in the order of `colour`. `output` names
    the output that is the embedding; empty: the only one that can be. (The name is part of the key of stored faces.)
    """

    colour: Colour = "rgb"
    mean: float = 127.5
    scale: float = 127.5
    output: str = ""

    def __post_init__(self) -> None:
        if not self.scale > 0:
            raise SettingsError(f"The scale is {self.scale:g}.", "Pixels are divided by it: give a number above 0.")

    def __str__(self) -> str:
        return f"{self.colour.upper()}, (pixel - {self.mean:g}) / {self.scale:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How similar strangers are to a model: the average cosine of two faces, and variances around it."""

    mean: float
    people: float
    faces: float
    pairs: float
    measured_on: str  # in words
    provisional: bool = False  # whether that was too little to rely on
    by_collection: bool = False  # whether a plain cosine tells so little that each collection shows how to compare

    @property
    def adapts(self) -> bool:
        """Whether a collection of enough people says better how alike strangers are."""
        return self.provisional or self.by_collection


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """The compressed file that a model is published in: a zip, of which one member is taken, or one file in bz2."""

    kind: Packing
    sha256: str
    size: int  # bytes
    member: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What must be known of a model before its output is trusted."""

    name: str  # how settings and the library call it
    purpose: str
    dimension: int  # of its output vector; 0 for a detector
    input: str  # what goes in, in words
    licence: str  # SPDX identifier or name; empty if nobody said
    commercial: bool | None  # whether commercial use is allowed; None if nobody said
    source: str  # where it comes from, for people
    package: str = ""  # the installed package that carries the file
    file: str = ""  # path inside the package, or the file's name in the model folder
    sha256: str = ""  # of the file as published; empty where the publisher gives only an MD5
    md5: str = ""
    url: str = ""  # where `unmingle models fetch` gets it
    size: int = 0  # bytes, for progress and for telling a cut download
    archive: Archive | None = None  # what `url` holds, where that isn't the file itself
    intake: Intake | None = None  # of an embedding of aligned faces
    calibration: Calibration | None = None  # where measured
    unfit: str = ""  # why `unmingle cluster --model` can't use it

    @property
    def licence_warning(self) -> str:
        """What somebody who uses the model must know of its licence; empty if it may be used for anything."""
        if self.commercial:
            return ""
        if self.commercial is None:
            return f"Nobody said under which terms {self.name} may be used (licence: {self.licence or 'unknown'})."
        return f"{self.name} is not for commercial use (licence: {self.licence})."


_RIGHT: dict[str, Callable[[Any], bool]] = {
    "str": lambda value: isinstance(value, str),
    "int": lambda value: type(value) is int,
    "float": lambda value: type(value) in {int, float} and isfinite(value),
    "bool": lambda value: isinstance(value, bool),
    "bool | None": lambda value: value is None or isinstance(value, bool),
    "Colour": get_args(Colour).__contains__,
    "Packing": get_args(Packing).__contains__,
}
_PARTS: dict[str, type[Archive | Intake | Calibration]]
_PARTS = {"archive": Archive, "intake": Intake, "calibration": Calibration}


def from_json(plain: dict[str, Any]) -> Card:
    """The card from plain values, as `asdict` makes them; ModelError if they are not a card's."""
    try:
        plain = dict(plain)
        parts = {key: _PARTS[key](**_checked(_PARTS[key], plain[key])) for key in _PARTS if plain.get(key)}
        return Card(**_checked(Card, {**plain, **dict.fromkeys(_PARTS)}) | parts)
    except (TypeError, ValueError, OverflowError) as error:
        raise ModelError(f"This is no model card: {error}.", "Add the model again: unmingle models add") from error


def _checked(kind: type[Any], plain: dict[str, Any]) -> dict[str, Any]:
    """The values of a record, if each has the type that it should."""
    for field in fields(kind):
        right = _RIGHT.get(str(field.type))
        if right and field.name in plain and not right(plain[field.name]):
            raise ValueError(f"{field.name} can't be {plain[field.name]!r:.100}")
    return plain


def _catalogue() -> dict[str, Card]:
    with files("unmingle.models").joinpath("catalogue.toml").open("rb") as file:
        plain = tomllib.load(file)
    return {name: from_json({"name": name, **card}) for name, card in plain.items()}


CARDS = _catalogue()
YUNET, SFACE, DLIB = CARDS["yunet"], CARDS["sface"], CARDS["dlib"]
VGG16, VGG16_NOTOP = CARDS["vgg16"], CARDS["vgg16-notop"]

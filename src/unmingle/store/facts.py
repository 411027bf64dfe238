"""How a library was made: its recipe and model, and the settings of each stage, as facts with types."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, TypeVar

from unmingle.errors import LibraryError, command
from unmingle.grouping.impostors import curve_of
from unmingle.models.cards import SFACE, from_json
from unmingle.settings import DetectionSettings, GroupingSettings, RecordingSettings

if TYPE_CHECKING:
    from unmingle.grouping.impostors import ImpostorModel
    from unmingle.models.cards import Card
    from unmingle.store.sqlite import Store

CURRENT = "recipe"  # the recipe whose faces are the library's people
SCALE = "scale"  # how far strangers spread, empty where the grouping doesn't know
SHEETS = "sheets"  # how many people get a contact sheet
MODELS = "models"  # the card of each recipe's model, as it was when pictures were last added
SETTINGS = {DetectionSettings: "detection", RecordingSettings: "recording", GroupingSettings: "grouping"}

S = TypeVar("S", DetectionSettings, RecordingSettings, GroupingSettings)


def note(store: Store, *settings: DetectionSettings | RecordingSettings | GroupingSettings) -> None:
    """Remember the settings of stages."""
    for one in settings:
        store.set_fact(SETTINGS[type(one)], json.dumps(asdict(one)))


def noted(store: Store, kind: type[S]) -> S | None:
    """The settings that a stage last had; None where it has not run, or not since they are noted."""
    text = store.fact(SETTINGS[kind])
    if text is None:
        return None
    names = kind.__dataclass_fields__  # what this version doesn't know is left out
    return kind(**{name: value for name, value in json.loads(text).items() if name in names})


def current(store: Store) -> str:
    """The recipe whose faces are the library's people; LibraryError if there is none yet."""
    recipe = store.fact(CURRENT)
    if recipe is None:
        raise LibraryError(f"{store.folder} holds no pictures yet.", f"Run: {_again(store)}")
    return recipe


def _again(store: Store) -> str:
    return command("cluster", "PICTURES", "-o", store.folder)


def known_scale(store: Store) -> float:
    """How much wider strangers spread in this library than on the model card; LibraryError if it isn't known."""
    scale = store.fact(SCALE)
    if not scale:
        raise LibraryError(f"{store.folder} was not grouped by faces.", f"Run: {_again(store)}")
    return float(scale)


def note_model(store: Store, recipe: str, model: Card) -> None:
    """Remember the card of a recipe's model, so that a library is understood also without the model's file."""
    cards = json.loads(store.fact(MODELS) or "{}")
    store.set_fact(MODELS, json.dumps({**cards, recipe: asdict(model)}))


def model_of(store: Store, recipe: str) -> Card:
    """The model whose vectors a recipe stored; SFace in libraries from before there were others."""
    cards = json.loads(store.fact(MODELS) or "{}")
    return from_json(cards[recipe]) if recipe in cards else SFACE


def library_curve(store: Store, recipe: str) -> ImpostorModel:
    """How similar strangers are to the model of a recipe."""
    calibration = model_of(store, recipe).calibration
    assert calibration is not None  # no recipe runs a model without one
    return curve_of(calibration)

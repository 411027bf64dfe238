"""How a library was made: its recipe and model, and the settings of each stage, as facts with types."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from unmingle.errors import LibraryError, command
from unmingle.grouping.impostors import ImpostorModel, curve_of
from unmingle.models.registry import SFACE, Card, from_json
from unmingle.settings import DetectionSettings, GroupingSettings, RecordingSettings
from unmingle.store.encryption import is_encrypted
from unmingle.store.sqlite import Store

if TYPE_CHECKING:
    from unmingle.grouping.adaptation import Adaptation

SCALE = "scale"  # how far strangers spread, empty where the grouping doesn't know
GROUPED = "grouped"  # how faces were grouped the last time, see `note_grouped`
SHEETS = "sheets"  # how many people get a contact sheet
WEBVTT = "webvtt"  # "1": recordings get captions
PLAIN = "plain"  # "1": tables and sheets are written though the library is encrypted
MODELS = "models"  # the card of each recipe's model, as it was when pictures were last added
ADAPTATION = "adaptation"  # with a recipe: how the collection says that vectors are compared
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


def check_begun(store: Store) -> None:
    """LibraryError if no picture was added yet."""
    if not store.recipe:
        raise LibraryError(f"{store.folder} holds no pictures yet.", f"Run: {_again(store)}")


def _again(store: Store) -> str:
    return command("cluster", "PICTURES", "-o", store.folder)


def note_grouped(store: Store, how: dict[str, Any]) -> None:
    """Remember by what faces were grouped the last time, and, as `faces`, how many when all were."""
    (last,) = store.connection.execute("SELECT max(id) FROM clustering").fetchone()
    store.set_fact(GROUPED, json.dumps({**grouped(store), **how, "clustering": last}))


def grouped(store: Store) -> dict[str, Any]:
    """What `note_grouped` noted; empty where nothing was."""
    return dict(json.loads(store.fact(GROUPED) or "{}"))


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


def model_of(store: Store, recipe: str = "") -> Card:
    """The model whose vectors a recipe stored, by default the library's; SFace in libraries from before others."""
    cards, recipe = json.loads(store.fact(MODELS) or "{}"), recipe or store.recipe
    return from_json(cards[recipe]) if recipe in cards else SFACE


def note_adaptation(store: Store, found: Adaptation | None) -> None:
    """Remember how a collection's own people say that its vectors are compared; None: by plain cosine."""
    key, content = f"{ADAPTATION} {store.recipe}", io.BytesIO()
    if found is None and not store.fact(key):
        return
    if found is not None:
        curve = [found.curve.mean, found.curve.people, found.curve.faces, found.curve.pairs]
        arrays = (found.centre_d, found.direction_kd.astype(np.float32), found.extra_k, np.array([found.rest, *curve]))
        np.savez_compressed(content, *arrays)
    store.set_fact(key, base64.b85encode(content.getvalue()).decode())


def adaptation_of(store: Store) -> Adaptation | None:
    """How vectors are compared, where the collection told; None: by plain cosine."""
    text = store.fact(f"{ADAPTATION} {store.recipe}")
    if not text:
        return None
    from unmingle.grouping.adaptation import Adaptation

    with np.load(io.BytesIO(base64.b85decode(text))) as kept:
        centre_d, direction_kd, extra_k, (rest, *moments) = (kept[name] for name in kept.files)
    curve = ImpostorModel(**dict(zip(("mean", "people", "faces", "pairs"), map(float, moments), strict=True)))
    return Adaptation(curve, centre_d, direction_kd.astype(np.float64), extra_k, float(rest))


def card_curve(store: Store) -> ImpostorModel:
    """How similar strangers are to the library's model by plain cosine."""
    calibration = model_of(store).calibration
    assert calibration is not None  # no recipe runs a model without one
    return curve_of(calibration)


def library_curve(store: Store) -> ImpostorModel:
    """How similar strangers are as faces are compared in this library."""
    adapted = adaptation_of(store)
    return card_curve(store) if adapted is None else adapted.curve


def shows(store: Store) -> bool:
    """Whether tables and sheets lie beside the database: not of an encrypted library, unless somebody asked for it."""
    return bool(store.fact(PLAIN)) or not is_encrypted(store.folder)

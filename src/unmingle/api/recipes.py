"""The recipe of a library: which it has, with which model, and how to run it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from unmingle import pipeline
from unmingle.errors import LibraryError, command
from unmingle.grouping.impostors import curve_of
from unmingle.models.cards import SFACE, VGG16, from_json
from unmingle.models.registry import card
from unmingle.settings import ClassicSettings, DetectionSettings, GroupingSettings

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

    from unmingle.faces.recipe import RecipeRunner
    from unmingle.grouping.impostors import ImpostorModel
    from unmingle.models.cards import Card
    from unmingle.settings import EngineSettings, Recipe
    from unmingle.store.sqlite import Store


DETECTION = "detection"  # the fact that holds the settings with which pictures were added
RECORDING = "recording"  # the fact that holds how recordings were watched
GROUPING = "grouping"  # the fact that holds how faces were grouped
MODELS = "models"  # the fact that holds the card of each recipe's model, as it was when pictures were last added


def grouped_with(store: Store) -> GroupingSettings | None:
    """How the library's faces were grouped; None if they were not, or before that was noted."""
    noted = store.fact(GROUPING)
    return None if noted is None else GroupingSettings(**json.loads(noted))


def current(store: Store) -> str:
    """The recipe whose faces are the library's people.

    Raises:
        LibraryError: there is none yet.
    """
    recipe = store.fact(pipeline.CURRENT)
    if recipe is None:
        raise LibraryError(f"{store.folder} holds no pictures yet.", f"Run: {_again(store)}")
    return recipe


def _again(store: Store) -> str:
    return command("cluster", "PICTURES", "-o", store.folder)


def known_scale(store: Store) -> float:
    """How much wider strangers spread in this library than on the model card.

    Raises:
        LibraryError: it was not grouped by faces.
    """
    scale = store.fact(pipeline.SCALE)
    if not scale:
        raise LibraryError(f"{store.folder} was not grouped by faces.", f"Run: {_again(store)}")
    return float(scale)


def note_model(store: Store, recipe: str, model: Card) -> None:
    """Remember with which model a recipe embeds, and how similar strangers are to it.

    So a library is understood wherever it is carried, also without the model's file.
    """
    cards = json.loads(store.fact(MODELS) or "{}")
    cards[recipe] = asdict(model)
    store.set_fact(MODELS, json.dumps(cards))


def model_of(store: Store, recipe: str) -> Card:
    """The model whose vectors a recipe stored; SFace in libraries from before there were others."""
    cards = json.loads(store.fact(MODELS) or "{}")
    return from_json(cards[recipe]) if recipe in cards else SFACE


def library_curve(store: Store, recipe: str) -> ImpostorModel:
    """How similar strangers are to the model of a recipe."""
    calibration = model_of(store, recipe).calibration
    assert calibration is not None  # no recipe runs a model without one
    return curve_of(calibration)


def models_table(store: Store) -> pl.DataFrame:
    """See `Library.models`."""
    import polars as pl

    query = (
        "SELECT recipe, count(DISTINCT content), (SELECT count(*) FROM face JOIN analysis AS own ON own.id ="
        " face.analysis WHERE own.recipe = analysis.recipe), max(id) FROM analysis GROUP BY recipe ORDER BY max(id)"
    )
    now = store.fact(pipeline.CURRENT)
    rows = []
    for recipe, pictures, faces, _ in store.connection.execute(query):
        model = VGG16 if recipe.startswith("classic") else model_of(store, recipe)
        rows.append((model.name, recipe, pictures, faces, model.dimension, recipe == now))
    columns = ("model", "recipe", "pictures", "faces", "dimension", "current")
    types = (pl.String, pl.String, pl.Int64, pl.Int64, pl.Int64, pl.Boolean)
    return pl.DataFrame(rows, dict(zip(columns, types, strict=True)), orient="row")


def make_runner(
    recipe: Recipe,
    detection: DetectionSettings | None,
    classic: ClassicSettings | None,
    weights: Path | None,
    engine: EngineSettings,
    *,
    any_weights: bool,
    model: str = SFACE.name,
) -> RecipeRunner:
    """What finds and embeds the faces of a picture; see `Library.add` for the arguments."""
    from unmingle.faces.recipe import ClassicRecipe, FaceRecipe

    if recipe == "faces":
        return FaceRecipe(detection or DetectionSettings(), engine, card(model))
    from unmingle.models.vgg16 import prepared_vgg16

    classic = classic or ClassicSettings()
    graph, checksum = prepared_vgg16(weights, features=classic.features, any_weights=any_weights)
    return ClassicRecipe(classic, engine, graph, checksum)

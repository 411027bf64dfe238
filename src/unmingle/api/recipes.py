"""The recipe of a library: which it has, and how to run it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from unmingle import pipeline
from unmingle.errors import LibraryError
from unmingle.settings import ClassicSettings, DetectionSettings, GroupingSettings

if TYPE_CHECKING:
    from pathlib import Path

    from unmingle.faces.recipe import RecipeRunner
    from unmingle.library.store import Store
    from unmingle.settings import EngineSettings, Recipe


DETECTION = "detection"  # the fact that holds the settings with which pictures were added
RECORDING = "recording"  # the fact that holds how recordings were watched
GROUPING = "grouping"  # the fact that holds how faces were grouped


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
        raise LibraryError(f"{store.folder} holds no pictures yet.", "Run: unmingle cluster PICTURES -o LIBRARY")
    return recipe


def known_scale(store: Store) -> float:
    """How much wider strangers spread in this library than on the model card.

    Raises:
        LibraryError: it was not grouped by faces.
    """
    scale = store.fact(pipeline.SCALE)
    if not scale:
        raise LibraryError(f"{store.folder} was not grouped by faces.", "Run: unmingle cluster PICTURES -o LIBRARY")
    return float(scale)


def make_runner(
    recipe: Recipe,
    detection: DetectionSettings | None,
    classic: ClassicSettings | None,
    weights: Path | None,
    engine: EngineSettings,
    *,
    any_weights: bool,
) -> RecipeRunner:
    """What finds and embeds the faces of a picture; see `Library.add` for the arguments."""
    from unmingle.faces.recipe import ClassicRecipe, FaceRecipe

    if recipe == "faces":
        return FaceRecipe(detection or DetectionSettings(), engine)
    from unmingle.models.vgg16 import prepared_vgg16

    classic = classic or ClassicSettings()
    graph, checksum = prepared_vgg16(weights, features=classic.features, any_weights=any_weights)
    return ClassicRecipe(classic, engine, graph, checksum)

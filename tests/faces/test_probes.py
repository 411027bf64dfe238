"""The readings on made-up people, whom no fit has seen; errors on real ones are measured in benchmarks."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from tests.models import graphs

from madeup.cast import CAST
from madeup.portraits import Look, Person, render
from unmingle.errors import SettingsError
from unmingle.faces.align import TEMPLATE_52
from unmingle.faces.quality import Measures, measure
from unmingle.faces.recipe import FaceRecipe
from unmingle.models import embedding
from unmingle.models.embedding import open_embedding
from unmingle.models.registry import Intake
from unmingle.settings import DetectionSettings, EngineSettings

if TYPE_CHECKING:
    from pathlib import Path

    from unmingle.records import F32, U8, Analysis

PEOPLE = CAST[:10]


@pytest.fixture(scope="module")
def recipe() -> FaceRecipe:
    return FaceRecipe(DetectionSettings(crops="always"), EngineSettings())


@cache
def portraits(*, mask: bool) -> list[U8]:
    return [render(Person.from_seed(seed), replace(Look.from_seed(i), mask=mask)) for i, seed in enumerate(PEOPLE)]


@pytest.fixture(scope="module")
def bare(recipe: FaceRecipe) -> list[Analysis]:
    return recipe.analyse(portraits(mask=False))


@pytest.fixture(scope="module")
def masked(recipe: FaceRecipe) -> list[Analysis]:
    return recipe.analyse(portraits(mask=True))


def read_bands(bands: F32) -> Measures:
    n = len(bands)
    return measure(np.tile(TEMPLATE_52.astype(np.float32), (n, 1, 1)), np.zeros((n, 112, 112, 3), np.uint8), bands)


def flags(found: list[Analysis]) -> list[str]:
    return [flag for one in found for flag in one.triage.flags]


def test_int8_is_of_the_embedding_and_what_is_seen_stays(
    recipe: FaceRecipe, bare: list[Analysis], masked: list[Analysis]
) -> None:
    near = FaceRecipe(DetectionSettings(crops="always"), EngineSettings(precision="int8"))
    assert (near.precision, near.key) == ("int8", recipe.key)
    exact = [*masked[:4], *bare[:4]]
    found = near.analyse([*portraits(mask=True)[:4], *portraits(mask=False)[:4]])
    assert flags(exact) == flags(found)
    for one, other in zip(exact, found, strict=True):
        np.testing.assert_array_equal(one.faces.points, other.faces.points)
        assert 0.99 < np.sum(one.vectors * other.vectors, axis=1).min() < 1 - 1e-5


def test_another_embedding_has_no_int8(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="Only SFace computes in int8"):
        open_embedding(graphs.write(tmp_path / "own.onnx"), Intake(), EngineSettings(precision="int8"))


def test_masks_are_flagged_and_only_join(masked: list[Analysis]) -> None:
    assert flags(masked).count("masked") >= 9
    assert all(one.triage.standings == ("join",) for one in masked if one.triage.flags == ("masked",))


def test_bare_faces_are_not(bare: list[Analysis]) -> None:
    assert flags(bare) == [""] * len(PEOPLE)
    assert all(one.triage.standings == ("found",) for one in bare)


def test_a_mask_is_seen_in_grey_too(recipe: FaceRecipe) -> None:
    grey = [np.repeat(one.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8) for one in portraits(mask=True)]
    assert flags(recipe.analyse(grey)).count("masked") >= 9


def test_a_masked_face_is_shown_after_a_bare_one(bare: list[Analysis], masked: list[Analysis]) -> None:
    assert np.median([one.quality[0] for one in masked]) < 0.7 * np.median([one.quality[0] for one in bare])


def test_patterns_are_no_faces() -> None:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:112, :112]
    patterns = [
        np.full((112, 112), 128),
        (x // 8 + y // 8) % 2 * 255,
        np.hypot(x - 56, y - 56) % 24 * 10,
        rng.integers(0, 255, (112, 112)),
        cv2.resize(rng.integers(0, 255, (6, 6)).astype(np.float32), (112, 112), interpolation=cv2.INTER_CUBIC),
    ]
    squares = np.stack([np.repeat(np.clip(one, 0, 255)[..., None], 3, axis=2).astype(np.uint8) for one in patterns])
    _, bands = embedding.describe(embedding.open_sface(EngineSettings(precision="f32")), squares)
    assert (read_bands(bands).face < 0.5).all()


def test_the_readings_are_of_each_face_alone() -> None:
    rng = np.random.default_rng(0)
    bands = rng.normal(size=(7, 512, 5)).astype(np.float32)
    together = read_bands(bands)
    apart = [read_bands(one[None]) for one in bands]
    np.testing.assert_allclose(together.covered, [one.covered[0] for one in apart], atol=1e-5)
    np.testing.assert_allclose(together.face, [one.face[0] for one in apart], atol=1e-5)
    assert len(read_bands(bands[:0]).face) == 0


def test_bands_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="bands_ncb"):
        read_bands(np.zeros((3, 512, 7), np.float32))


@pytest.mark.parametrize("darkest", [0, 240])
def test_what_too_much_light_or_little_hides_is_seen_with_even_contrast_and_only_joins(
    recipe: FaceRecipe, bare: list[Analysis], darkest: int
) -> None:
    flat = [np.round(darkest + picture * 0.05).astype(np.uint8) for picture in portraits(mask=False)[:4]]
    hidden = 0
    for plain, found in zip(bare[:4], recipe.analyse(flat), strict=True):
        if found.triage.reasons == ("hardly a face: the detector sees it only with even contrast",):
            hidden += 1
            assert found.triage.standings == ("join",)
            assert found.faces.scores[0] < 0.6
            assert float(found.vectors[0] @ plain.vectors[0]) > 0.8
    assert hidden >= 2  # some it sees all the same

"""A library of a model that no card knows enough of: the collection tells how its faces are compared."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from tests import made_library
from tests.made_library import RECIPE

from unmingle import identification, jobs
from unmingle.api import Library
from unmingle.models.registry import SFACE
from unmingle.review.alike import Appearances
from unmingle.settings import GroupingSettings
from unmingle.store import facts
from unmingle.store.face_rows import faces_to_group
from unmingle.store.sqlite import open_to_read, open_to_write

if TYPE_CHECKING:
    from pathlib import Path

PEOPLE, EACH = 26, 8


def leaning(folder: Path) -> Library:
    """People whose vectors all lean one way, by a model whose card is provisional."""
    random = np.random.default_rng(0)
    width = 1 / np.arange(1, 65) ** 0.4
    middles = width / np.linalg.norm(width) * random.normal(size=(PEOPLE, 64)) + 2.6 * np.eye(64)[3]
    assert SFACE.calibration is not None
    card = replace(SFACE, name="mine", calibration=replace(SFACE.calibration, provisional=True))
    with open_to_write(made_library.empty(folder)) as store:
        facts.note_model(store, RECIPE, card)
        with store.transaction() as connection:
            for i, middle in enumerate(np.repeat(middles, EACH, axis=0)):
                vector = middle + 0.07 * random.normal(size=64)
                found = made_library.analysis([vector / np.linalg.norm(vector)], thumbnail=made_library.jpeg())
                made_library.put(connection, f"{i:03d}", found)
        jobs.cluster(store, GroupingSettings())
    return Library(folder)


def test_a_provisional_card_gives_way_to_what_the_collection_says(tmp_path: Path) -> None:
    library = leaning(tmp_path / "out")
    with open_to_read(library.folder) as store:
        adapted = facts.adaptation_of(store)
        assert adapted is not None
        assert facts.library_curve(store) == adapted.curve
        plain, seen = (faces_to_group(store, raw=raw).vectors for raw in (True, False))
        np.testing.assert_allclose(seen, adapted.apply(plain), atol=1e-5)
        people = store.connection.execute("SELECT person, count(*) FROM member GROUP BY 1").fetchall()
        assert len(people) == PEOPLE
        assert {count for _, count in people} == {EACH}
        # The review page and the likely pairs compare as the grouping did.
        cosines = Appearances.of_people(store).mean_cd @ Appearances.of_people(store, [1]).mean_cd[0]
        assert np.median(cosines) < 0.3
        assert identification.pair_table(store, most=5)["probability"].max() < 0.1  # type: ignore[operator]


def test_who_is_erased_has_no_part_in_it(tmp_path: Path) -> None:
    library = leaning(tmp_path / "out")
    with open_to_read(library.folder) as store:
        before = facts.adaptation_of(store)
    library.erase(1)
    with open_to_read(library.folder) as store:
        after = facts.adaptation_of(store)
    assert before is not None
    assert after is not None
    assert not np.allclose(before.centre_d, after.centre_d)
    library.erase(*range(2, 10))  # too few stay to tell anything
    with open_to_read(library.folder) as store:
        assert facts.adaptation_of(store) is None
        assert facts.library_curve(store).mean == SFACE.calibration.mean  # type: ignore[union-attr]


def test_a_calibrated_card_is_taken_at_its_word(tmp_path: Path) -> None:
    folder = leaning(tmp_path / "out").folder
    with open_to_write(folder) as store:
        facts.note_model(store, RECIPE, SFACE)
        jobs.cluster(store, GroupingSettings())
        assert facts.adaptation_of(store) is None

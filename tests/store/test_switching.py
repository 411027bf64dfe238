"""Two models in one library: their faces lie side by side, and people go on from the one to the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.made_library import RECIPE, analysis, put
from tests.store.conftest import Album

from unmingle.store.sqlite import open_to_read, open_to_write

if TYPE_CHECKING:
    from pathlib import Path

OTHER = "faces-other"


@pytest.fixture
def album(tmp_path: Path) -> Album:
    return Album(tmp_path / "library", people=6, each=6)


def add_other(album: Album, *, mixed: bool = False) -> None:
    """The same pictures by another model; if mixed, one that can't tell the first two people apart."""
    random = np.random.default_rng(9)
    centres = random.normal(size=(26, 64))
    if mixed:
        centres[1] = centres[0]
    names = album.library.faces["file"].to_list()
    with open_to_write(album.library.folder) as store, store.transaction() as connection:
        for name in names:
            vector = centres[ord(name[0]) - 97] + 0.5 * random.normal(size=64)
            put(connection, name, analysis(vector[None]), recipe=OTHER)


def switch(album: Album, recipe: str) -> None:
    with open_to_write(album.library.folder) as store:
        store.recipe = recipe
    album.cluster()


def people(album: Album) -> dict[str, int]:
    """The person of each file, 0 for nobody."""
    return dict(album.library.faces.select("file", "person").fill_null(0).iter_rows())


def test_people_keep_their_ids_and_names(album: Album) -> None:
    before = people(album)
    album.library.name(before["a0000.jpg"], "Ada")
    add_other(album)
    table = album.library.people
    switch(album, OTHER)
    assert people(album) == before
    columns = ["person", "name", "faces", "first_file"]
    assert album.library.people.select(columns).rows() == table.select(columns).rows()
    switch(album, RECIPE)
    assert people(album) == before
    assert album.library.people.rows() == table.rows()
    models = album.library.models
    assert models.select("recipe", "faces", "current").rows() == [(RECIPE, 36, True), (OTHER, 36, False)]


def test_who_comes_back_finds_everybody_as_they_were(album: Album) -> None:
    """The other model takes two people for one: only the first knows the second's id."""
    before = people(album)
    add_other(album, mixed=True)
    switch(album, OTHER)
    assert len(set(people(album).values())) == 5
    assert people(album)["a0000.jpg"] == people(album)["b0006.jpg"]
    switch(album, RECIPE)
    assert people(album) == before


def test_what_was_said_with_one_model_holds_with_the_other(album: Album) -> None:
    before = people(album)
    add_other(album, mixed=True)
    album.library.name(before["a0000.jpg"], "Ada")
    album.library.name(before["b0006.jpg"], "Ben")
    album.library.reject(["c0012.jpg"], before["c0012.jpg"])
    switch(album, OTHER)
    found = people(album)
    assert (found["a0000.jpg"], found["b0006.jpg"]) == (before["a0000.jpg"], before["b0006.jpg"])
    assert found["c0012.jpg"] != before["c0012.jpg"]
    album.library.merge(found["d0018.jpg"], found["e0024.jpg"])
    switch(album, RECIPE)
    again = people(album)
    assert again["d0018.jpg"] == again["e0024.jpg"] == before["d0018.jpg"]
    assert {person for file, person in again.items() if file[0] == "f"} == {before["f0030.jpg"]}


def test_what_was_said_with_one_model_is_undone_with_the_other(album: Album) -> None:
    before = people(album)
    album.library.reject(["c0012.jpg"], before["c0012.jpg"])
    add_other(album)
    switch(album, OTHER)
    assert people(album)["c0012.jpg"] == 0
    album.library.undo()
    assert people(album) == before
    with open_to_read(album.library.folder) as store:
        foreign = (
            "SELECT count(*) FROM member JOIN face ON face.id = member.face"
            " JOIN analysis ON analysis.id = face.analysis WHERE analysis.recipe != ?"
        )
        assert store.connection.execute(foreign, (OTHER,)).fetchone() == (0,)


def test_nobody_is_new_because_of_a_switch(album: Album) -> None:
    add_other(album)
    since = "SELECT DISTINCT since FROM member"
    with open_to_read(album.library.folder) as store:
        first = store.connection.execute(since).fetchall()
    switch(album, OTHER)
    with open_to_read(album.library.folder) as store:
        assert store.connection.execute(since).fetchall() == first

"""Rounds of random decisions, groupings, additions and undos: what was said holds, and the log tells it all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.made_library import analysis, put

from unmingle.decisions.log import active_ids, read_log
from unmingle.decisions.state import State
from unmingle.errors import DecisionError
from unmingle.store.face_rows import ALONE
from unmingle.store.sqlite import open_to_read, open_to_write

from .conftest import Album

if TYPE_CHECKING:
    from pathlib import Path

    from unmingle.decisions.kinds import Kind
    from unmingle.decisions.log import Entry


STORIES = max(1, settings().max_examples // 16)  # each takes seconds


def check_all_holds(album: Album) -> None:
    """Every decision that stands holds, names are where they were given, and the tables are what the log says."""
    with open_to_read(album.library.folder) as store:
        state = State.read(store)
        faces_n, person_n = state.members_now()
        stored = dict(store.connection.execute("SELECT face, person FROM member"))
        marks = dict(store.connection.execute("SELECT face, mark FROM mark"))
        names = dict(store.connection.execute("SELECT id, name FROM person WHERE name != ''"))
    replayed = dict(zip(faces_n.tolist(), person_n.tolist(), strict=True))
    assert {face: person for face, person in replayed.items() if person != ALONE} == stored
    assert marks == state.marks()
    assert names == {person: name for person, name in state.projection.names.items() if name}
    marked = state.marked()
    for place, person in state.projection.person_of.items():
        face = state.face_of.get(place)
        assert face is None or stored.get(face) == person or face in marked
    for place, person in state.projection.barred:
        assert stored.get(state.face_of.get(place, -1)) != person
    assert not marked & stored.keys()


class Hand:
    """Somebody who decides at random, and remembers whom each name was given to."""

    def __init__(self, album: Album, random: np.random.Generator) -> None:
        self.album, self.random = album, random
        self.named: dict[str, str] = {}  # name → true person, as a letter

    def decide(self) -> None:
        kinds: tuple[Kind, ...] = ("name", "merge", "split", "reject", "assign", "not_a_face", "ignore", "restore",
                                   "different", "undo", "redo")  # fmt: skip
        kind = kinds[self.random.integers(len(kinds))]
        people = {who: files for who, files in self.album.people().items() if files}
        one, *others = self.random.permutation(sorted(people)).tolist()
        files = sorted(people[one])
        some = [str(file) for file in self.random.permutation(files)[: 1 + self.random.integers(3)]]
        library = self.album.library
        try:
            if kind == "name":
                self._name(one, self._majority(files))
            elif kind in ("merge", "different"):
                # A sensible person merges parts of one, and tells two apart.
                alike = {who: self._majority(sorted(people[who])) == self._majority(files) for who in others}
                chosen = [who for who in others if alike[who] == (kind == "merge")]
                getattr(library, kind)(one, *chosen[:1])
            elif kind in ("reject", "assign"):
                getattr(library, kind)(some, one if kind == "reject" else others[0])
            elif kind in ("undo", "redo"):
                self._turn(kind)
            else:
                getattr(library, kind)(one if kind in ("ignore", "restore") else some)
        except DecisionError:
            pass  # what can't be done is refused, which other tests look at

    def _name(self, person: int, letter: str) -> None:
        name = f"Zebulon {letter} {len(self.named)}"  # as nothing else in a library is called
        self.album.library.name(person, name)
        self.named[name] = letter

    def _turn(self, kind: Kind) -> None:
        stands = active_ids(self._entries())
        can = [entry for entry, stand in stands.items() if stand == (kind == "undo")]
        if can:
            getattr(self.album.library, kind)(int(self.random.choice(can)))

    def _entries(self) -> list[Entry]:
        with open_to_read(self.album.library.folder) as store:
            return read_log(store.connection)

    @staticmethod
    def _majority(files: list[str]) -> str:
        letters = [file[0] for file in files]
        return max(sorted(set(letters)), key=letters.count)


@settings(max_examples=STORIES)
@given(seed=st.integers(0, 2**32 - 1))
def test_ten_rounds_of_everything(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    album = Album(tmp_path_factory.mktemp("album") / "library", seed=seed, each=6)
    hand = Hand(album, np.random.default_rng(seed))
    for _ in range(10):
        for _ in range(4):
            hand.decide()
            check_all_holds(album)
        album.add(hand.random.integers(0, 8, 3).tolist())
        album.cluster(expected_false_merges=float(hand.random.choice([0.1, 0.02, 0.002])))
        check_all_holds(album)


@pytest.mark.parametrize("seed", range(2))
def test_a_name_stays_with_its_person_through_ten_rounds(tmp_path: Path, seed: int) -> None:
    album = Album(tmp_path / "library", seed=seed)
    random = np.random.default_rng(seed)
    named = {letter: album.library.name(album.person(letter), letter.upper()).person for letter in "abcdef"}
    for round_ in range(10):
        album.add(random.integers(0, 8, 6).tolist())
        present = sorted(set().union(*album.people().values()))
        album.remove([str(file) for file in random.choice(present, 4, replace=False)])
        album.cluster(expected_false_merges=float(random.choice([0.3, 0.02, 0.0002])))
        people = album.people()
        for letter, person in named.items():
            assert {file[0] for file in people[person or 0]} == {letter}, f"round {round_}"
        check_all_holds(album)


@settings(max_examples=STORIES)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_log_alone_gives_the_same_people(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    folder = tmp_path_factory.mktemp("album")
    album = Album(folder / "library", seed=seed, each=6)
    hand = Hand(album, np.random.default_rng(seed))
    for _ in range(3):
        for _ in range(5):
            hand.decide()
        album.add(hand.random.integers(0, 8, 3).tolist())
        album.cluster()
    with open_to_write(album.library.folder) as store, store.transaction() as connection:
        for table in ("proposal", "member", "mark"):
            connection.execute(f"DELETE FROM {table}")  # names of tables
        connection.execute("UPDATE person SET name = '', ignored = 0")
    before = {frozenset(files) for files in Album.people(album).values()}
    assert not before
    album.cluster()
    check_all_holds(album)
    again = {frozenset(files): who for who, files in album.people().items()}
    album.cluster()
    assert {frozenset(files): who for who, files in album.people().items()} == again


def test_decisions_outlive_the_model_that_found_the_faces(album: Album) -> None:
    """Another recipe finds the faces anew, a few pixels off: names, merges and splits are still there."""
    library = album.library
    a, b, c = (album.person(letter) for letter in "abc")
    library.name(a, "Ada")
    library.merge(a, b)
    face = album.files(c)[0]
    new = library.split([face]).person
    with open_to_write(library.folder) as store, store.transaction() as connection:
        for (name,) in connection.execute("SELECT name FROM file").fetchall():
            vector = album.centres[ord(name[0]) - 97][::-1] + 0.5 * album.random.normal(size=64)
            put(connection, name, analysis(vector[None]), recipe="faces-other")
        connection.execute("UPDATE face SET \"left\" = \"left\" + 7, width = width - 5 WHERE analysis IN"
                           " (SELECT id FROM analysis WHERE recipe = 'faces-other')")  # fmt: skip
        connection.execute("UPDATE fact SET value = 'faces-other' WHERE key = 'recipe'")
    album.cluster()
    people = album.people()
    assert {file[0] for file in people[a]} == {"a", "b"}
    assert face in people[new or 0]
    assert face not in people[c]
    assert library.people.filter(library.people["person"] == a)["name"].item() == "Ada"

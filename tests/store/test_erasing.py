"""Erasing: no byte of who was erased stays in any file, others stay who they are, and nothing brings anybody back."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.made_library import RECIPE, analysis, put

from unmingle import jobs
from unmingle.decisions import erasing
from unmingle.errors import DecisionError, LibraryBusyError
from unmingle.records import Analysis, Triage
from unmingle.settings import GroupingSettings
from unmingle.store.analyses import add_analysis
from unmingle.store.facts import SHEETS
from unmingle.store.file_rows import WALKED
from unmingle.store.sqlite import open_to_decide, open_to_read, open_to_write

from .conftest import Album
from .test_replay import STORIES, Hand, check_all_holds
from .test_sightings import FRAMES, group, segment, store_recording, track

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from unmingle.api import Library

PIECE = 24  # bytes: a long value lies on several pages of the database, in pieces


class Shown(Album):
    """An album whose faces have thumbnails and landmarks of their own, each a secret."""

    def face(self, person: int, reason: str = "") -> Analysis:
        vector = self.centres[person] + self.spread * self.random.normal(size=64)
        made = analysis(vector[None], thumbnail=self.random.bytes(9000), triage=Triage.alike(1))
        points = self.random.normal(size=(1, 5, 2)).astype(np.float32)
        return replace(made, faces=replace(made.faces, points=points), fingerprint=self.random.bytes(1032))


@pytest.fixture
def shown(tmp_path: Path) -> Shown:
    album = Shown(tmp_path / "library")
    album.library.views = "at once"
    with open_to_write(album.library.folder) as store:
        store.set_fact(WALKED, "[]")
        store.set_fact(SHEETS, "100")
    return album


def secrets(folder: Path, where: str, *names: str) -> list[bytes]:
    """What a library stores of faces, as bytes, cut where pages of a database may cut them; and names."""
    with open_to_read(folder) as store:
        rows = store.connection.execute(
            "SELECT vector, points, jpeg, fingerprint FROM face_row JOIN thumbnail USING (face)"
            f" JOIN analysis ON analysis.id = picture WHERE {where}"
        ).fetchall()
    assert rows
    vectors = [np.frombuffer(row[0], "<f4").astype(np.float16).tobytes() for row in rows]
    values = [value for row in rows for value in row] + vectors
    pieces = [value[at : at + PIECE] for value in values for at in range(0, len(value) - PIECE, 8 * PIECE)]
    return [*pieces, *(name.encode(kind) for name in names for kind in ("utf-8", "utf-16-le"))]


def found_in(folder: Path, wanted: Sequence[bytes]) -> set[str]:
    """The files that hold any of it."""
    found = set()
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            found |= {path.name for value in wanted if value in content}
    return found


def test_no_byte_of_somebody_who_was_erased_stays(shown: Shown, tmp_path: Path) -> None:
    library, page = shown.library, tmp_path / "pages" / "report.html"
    one, other = shown.person("a"), shown.person("b")
    library.name(one, "Zebulon Quax")
    library.name(other, "Bea")
    files = shown.files(one)
    library.assign(files[:2], other)
    library.undo()
    library.undo(library.name(one, "Zeb Quaxson").id)
    library.write_report()
    library.write_report(page)
    library.export("csv", tmp_path / "exported")
    wanted = secrets(library.folder, f"person = {one}", "Zebulon Quax", "Zeb Quaxson")
    assert {"library.sqlite", "decisions.jsonl", "people.csv"} <= found_in(library.folder, wanted)
    before = {who: files for who, files in shown.people().items() if who != one}
    would = library.erase("Zebulon Quax", dry_run=True)
    assert found_in(library.folder, wanted)
    done = library.erase("Zebulon Quax")
    assert would == replace(done, left=())
    assert (done.people, done.faces) == ((one,), len(files))
    assert set(done.pages) == {str(page), str(library.folder / "report.html")}
    assert not page.exists()
    assert [(left.path, left.kind) for left in done.exports] == [(str(tmp_path / "exported"), "csv")]
    assert found_in(library.folder, wanted) == set()
    assert shown.people() == before
    assert [entry.words for entry in library.decisions if entry.kind in ("name", "erase")] == [
        erasing.WORDS, f"Called Person {other} Bea", erasing.WORDS, f"Erased 1 person ({len(files)} faces)",
    ]  # fmt: skip
    check_all_holds(shown)
    shown.cluster()
    assert {who: files for who, files in shown.people().items() if who in before} == before


def test_nothing_brings_them_back(shown: Shown) -> None:
    library = shown.library
    library.views = "on request"
    one, other, third = (shown.person(letter) for letter in "abc")
    files = shown.files(one)
    decisions = [
        library.name(one, "Ada"),
        library.split(files[:2]),
        library.merge(one, other),
        library.assign(shown.files(third)[0], one),
        library.reject(files[4], one),
        library.ignore(one),
        library.restore(one),
    ]
    mine = set(shown.files(one))
    library.erase(one)
    kept = set(library.faces["file"]) - mine
    for decision in (*decisions[::-1], *decisions):
        for turn in (library.undo, library.redo):
            try:
                turn(decision.id)
            except DecisionError as error:
                assert "undone already" in error.problem or "stands" in error.problem  # noqa: PT017
            check_all_holds(shown)
            assert set().union(*shown.people().values()) <= kept
    shown.cluster()
    assert set().union(*shown.people().values()) <= kept
    with pytest.raises(DecisionError, match="no person"):
        library.name("Ada", "Ida")


@settings(max_examples=STORIES)
@given(seed=st.integers(0, 2**32 - 1))
def test_whatever_was_decided_others_stay_who_they_are(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    album = Shown(tmp_path_factory.mktemp("album") / "library", seed=seed, each=6)
    hand = Hand(album, np.random.default_rng(seed))
    for _ in range(3):
        for _ in range(8):
            if len(album.people()) > 1:  # else there is nobody to decide about
                hand.decide()
        if len(album.people()) < 2:
            break
        one = int(hand.random.choice(sorted(album.people())))
        names = album.library.people.filter(album.library.people["person"] == one)["name"].to_list()
        wanted = secrets(album.library.folder, f"person = {one}", *filter(None, names))
        before = {who: files for who, files in album.people().items() if who != one}
        assert one in album.library.erase(one).people
        assert found_in(album.library.folder, wanted) == set()
        assert {who: files & before.get(who, files) for who, files in album.people().items()} == before
        check_all_holds(album)
        for _ in range(4):
            if len(album.people()) > 1:
                hand.decide()
            check_all_holds(album)
        album.cluster()
        check_all_holds(album)
        assert one not in album.people()


def test_faces_files_what_is_old_and_who_is_nobody(shown: Shown) -> None:
    library = shown.library
    one = shown.person("a")
    files = shown.files(one)
    library.name(one, "Ada")
    done = library.erase(faces=files[:2])
    assert (done.people, done.faces) == ((), 2)
    assert shown.files(one) == files[2:]
    assert library.erase(sources=[f"/{files[2]}"]).faces == 1
    with open_to_write(library.folder) as store, store.transaction() as connection:
        connection.execute("UPDATE file SET modified = -2e15")  # of 1969
        connection.execute("UPDATE file SET modified = 9e18 WHERE name NOT LIKE 'b%'")
    (bea,) = (shown.person("b"),)
    done = library.erase(older_than=timedelta(days=365))
    assert done.people == (bea,)
    library.ignore(shown.person("c"))
    library.ignore(faces=shown.files(one)[0])
    done = library.erase(left_out=True)
    assert len(done.people) == 1
    assert library.faces.filter(library.faces["reason"] == "its faces were erased").height == done.faces + 3 + 8
    assert set(library.faces["status"]) == {"clustered", "not_a_face"}
    with pytest.raises(DecisionError, match="nobody to erase"):
        library.erase(left_out=True)
    gone = library.erase(faces=shown.files(one))
    assert gone.people == (one,)
    assert "Ada" not in str(library.decisions)


def test_another_look_at_the_same_pictures_finds_them_only_if_asked(shown: Shown) -> None:
    library, one = shown.library, shown.person("a")
    files = shown.files(one)
    pair = shown.add([1])[0]
    two = analysis(np.concatenate([shown.face(0).vectors, shown.face(1).vectors]), [(0, 0, 80, 90), (200, 0, 80, 90)])
    with open_to_write(library.folder) as store, store.transaction() as connection:
        put(connection, pair, replace(two, fingerprint=b"x" * 1032))
        put(connection, files[0], shown.face(0), recipe="faces-other")
    shown.cluster()
    wanted = secrets(library.folder, "face_row.recipe = 'faces-other'")
    assert library.erase(faces=[files[0], pair]).faces == 3  # of both models
    assert found_in(library.folder, wanted) == set()
    moved = replace(shown.face(0), faces=replace(shown.face(0).faces, boxes=np.array([[9, 9, 80, 85]], np.float32)))
    with open_to_write(library.folder) as store:
        numbers = "SELECT number FROM face_row WHERE digest = ? AND recipe = ?"
        with store.transaction() as connection:
            for recipe in (RECIPE, "faces-other", "faces-third"):
                add_analysis(connection, pair, recipe, "f32", two)
                add_analysis(connection, files[0], recipe, "f32", moved)
                assert connection.execute(numbers, (files[0], recipe)).fetchall() == []
                assert connection.execute(numbers, (pair, recipe)).fetchall() == [(1,)]
            query = "SELECT face FROM face_row WHERE digest = ? AND recipe = ? AND number = 1"
            face = connection.execute(query, (pair, RECIPE)).fetchone()
            for name, what in ((pair, two), (files[0], moved)):
                add_analysis(connection, name, RECIPE, "f32", what, include_erased=True)
            assert connection.execute(numbers, (pair, RECIPE)).fetchall() == [(0,), (1,)]
            assert connection.execute(query, (pair, RECIPE)).fetchone() == face
            assert connection.execute(numbers, (files[0], RECIPE)).fetchall() == [(0,)]
        jobs.cluster(store, GroupingSettings())
    assert shown.person_of(files[0]) == one


def test_of_a_recording_the_tracks_go_and_are_not_found_again(tmp_path: Path) -> None:
    from unmingle.api import Library

    folder = tmp_path / "library"
    tracks = track(0, FRAMES, [4, 40, 90]), track(1, FRAMES, [0, 50, 100], number=1)
    with open_to_write(folder) as store:
        store_recording(store, "a.mp4", segment(*tracks))
        group(store)
    library = Library(folder)
    one, other = library.people["person"].to_list()
    half = library.people["faces"].to_list()[0]
    library.erase(one)
    assert library.people.rows()[0][:3] == (other, "", half)
    with open_to_write(folder) as store:
        store_recording(store, "a.mp4", segment(*tracks), every=0.2)
        group(store)
    assert library.people["faces"].to_list() == [half]
    # One look at a person, in the middle of a track that is theirs.
    (number,) = set(library.faces["face"])
    frame = 50 if number else 40
    done = library.erase(faces=[f"a.mp4@{frame}#{number}"])
    assert done.faces == 1
    left = library.faces["frame"].to_list()
    assert 0 in left
    assert frame not in left
    assert len(left) < half


def killed(library: Library, person: int, seconds: float) -> None:
    """Erase in a process that is killed meanwhile."""
    child = os.fork()
    if child == 0:
        library.erase(person)
        os._exit(0)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")
def test_what_a_kill_stopped_is_finished_by_whoever_opens_the_library_next(shown: Shown) -> None:
    library, one = shown.library, shown.person("a")
    library.name(one, "Zebulon Quax")
    wanted = secrets(library.folder, f"person = {one}", "Zebulon Quax")
    with open_to_write(library.folder) as store:  # all that a process may have done at the worst moment to be killed
        erasing.erase(store, [one], [], dry_run=False)
    assert found_in(library.folder, wanted)
    assert one not in library.people["person"]  # which opens it
    assert found_in(library.folder, wanted) == set()
    for letter, moment in zip("bcd", (0.01, 0.05, 0.15), strict=True):
        person = shown.person(letter)
        library.name(person, f"Zebulon the {person}th")
        wanted = secrets(library.folder, f"person = {person}", f"Zebulon the {person}th")
        killed(library, person, moment)
        if person not in library.people["person"]:
            assert found_in(library.folder, wanted) == set()
        check_all_holds(shown)


def test_a_reader_in_the_way_is_told_of_and_gone_on_after(shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unmingle.store.sqlite.PATIENCE", 0.1)
    library, one = shown.library, shown.person("a")
    wanted = secrets(library.folder, f"person = {one}")
    with open_to_read(library.folder) as store, store.snapshot():
        store.fact("recipe")
        with pytest.raises(LibraryBusyError, match="another program is reading"):
            library.erase(one)
        assert one not in library.people["person"]
    with open_to_decide(library.folder):
        pass
    assert found_in(library.folder, wanted) == set()

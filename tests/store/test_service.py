"""What people say about faces: each kind of decision, undone, redone, and kept through new groupings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from unmingle import jobs
from unmingle.decisions.kinds import Merge, Name
from unmingle.decisions.references import clean_name
from unmingle.decisions.service import DecisionService
from unmingle.errors import DecisionError, StaleError
from unmingle.grouping.cluster import cluster_with_quality
from unmingle.records import Added
from unmingle.settings import ClassicSettings, GroupingSettings
from unmingle.store.sqlite import open_to_decide, open_to_write
from unmingle.summary import Summary, summary_lines

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from tests.store.conftest import Album

    from unmingle.records import Clustering


def test_a_name_stays_through_a_new_grouping_and_can_be_taken_back(album: Album) -> None:
    library, ada = album.library, album.person("a")
    said = library.name(ada, "  Ada   Lovelace ")
    assert (said.kind, said.person, said.words, said.live) == ("name", ada, f"Called Person {ada} Ada Lovelace", True)
    album.add([0, 0, 1])
    album.cluster(expected_false_merges=0.1)
    assert album.person("a") == ada
    assert library.people.filter(library.people["person"] == ada)["name"].item() == "Ada Lovelace"
    library.undo()
    assert set(library.people["name"]) == {""}
    library.redo()
    assert set(library.people["name"]) == {"", "Ada Lovelace"}
    library.name("Ada Lovelace", "")
    assert set(library.people["name"]) == {""}


def test_merged_people_stay_one_and_the_merge_can_be_undone_after_a_new_grouping(album: Album) -> None:
    library = album.library
    a, b, before = album.person("a"), album.person("b"), album.people()
    library.name(b, "Bea")
    merged = library.merge(a, b)
    assert merged.faces == 8
    assert album.people()[a] == before[a] | before[b]
    assert b not in album.people()
    assert library.people.filter(library.people["person"] == a)["name"].item() == "Bea"
    album.add([0, 1])
    album.cluster()
    assert {file[0] for file in album.people()[a]} == {"a", "b"}
    assert len(album.people()[a]) == 18
    library.undo(merged.id)
    now = album.people()
    assert before[a] <= now[a]
    assert now[b] == before[b]
    assert library.people.filter(library.people["person"] == b)["name"].item() == "Bea"
    album.cluster()
    assert (len(album.people()[a]), len(album.people()[b])) == (9, 9)
    library.redo(merged.id)
    assert len(album.people()[a]) == 18


def test_faces_split_off_are_somebody_else_for_good(album: Album) -> None:
    library, a = album.library, album.person("a")
    some = album.files(a)[:3]
    new = library.split(some).person
    assert new not in (None, a)
    assert album.people()[new or 0] == set(some)
    album.cluster()
    assert album.people()[new or 0] >= set(some)
    assert not album.people()[a] & set(some)
    library.undo()
    assert len(album.people()[a]) == 8
    with pytest.raises(DecisionError, match=r"all the faces of Person .* Leave some of them out"):
        library.split(album.files(a))


def test_not_this_person_holds_and_this_person_holds(album: Album) -> None:
    library, a, b = album.library, album.person("a"), album.person("b")
    face = album.files(a)[0]
    library.reject([face], a)
    assert album.person_of(face) is None
    album.cluster()
    assert album.person_of(face) != a
    library.assign([face], b)
    assert album.person_of(face) == b
    album.cluster()
    assert album.person_of(face) == b
    library.assign([face], a)
    assert album.person_of(face) == a
    album.cluster()
    assert album.person_of(face) == a
    for person in (b, None, a):  # step by step to where it was, though three groupings lie between
        library.undo()
        assert album.person_of(face) == person


def test_what_is_no_face_and_who_is_ignored(album: Album) -> None:
    library, a, b = album.library, album.person("a"), album.person("b")
    face, stranger = album.files(a)[0], album.files(b)[0]
    library.not_a_face([face])
    library.ignore(b)
    album.add([1])
    album.cluster()
    rows = {file: rest for file, *rest in library.faces.select("file", "person", "status", "reason").iter_rows()}
    assert rows[face] == [None, "not_a_face", "a person said so"]
    assert rows[stranger] == [None, "ignored", "a stranger: a person said so"]
    assert sum(status == "ignored" for _, status, _ in rows.values()) == 9
    assert b not in library.people["person"].to_list()
    library.restore(b)
    library.restore(faces=[face])
    assert b in library.people["person"].to_list()
    album.cluster()
    assert album.person_of(face) == a


def test_a_face_that_was_set_aside_takes_part_when_somebody_says_so(album: Album) -> None:
    (file,) = album.add([0], reason="too small")
    album.cluster()
    assert album.person_of(file) is None
    album.library.face([file])
    album.cluster()
    assert album.person_of(file) == album.person("a")
    (other,) = album.add([1], reason="too small")
    album.library.assign([other], album.person("a"))  # and so does one that is said to be somebody
    assert album.person_of(other) == album.person("a")
    album.cluster()
    assert album.person_of(other) == album.person("a")


@pytest.mark.parametrize(
    ("say", "problem"),
    [
        (lambda library: library.name(999, "Ada"), "There is no person 999"),
        (lambda library: library.name("Nobody", "Ada"), "There is no person 'Nobody'"),
        (lambda library: library.name(1, "x" * 201), "at most 200 characters"),
        (lambda library: library.name(1, "a\x07b"), "all of them printable"),
        (lambda library: library.name(1, "\u200d \u200f"), "no sign that shows"),
        (lambda library: library.name(1, ""), "without a name already"),
        (lambda library: library.merge(1), "One person alone"),
        (lambda library: library.merge(1, 1), "named twice"),
        (lambda library: library.assign([10**9], 1), "1 of these faces are not in the library"),
        (lambda library: library.assign([], 1), "No face was named"),
        (lambda library: library.reject(["missing.jpg"], 1), "There is no picture missing.jpg"),
        (lambda library: library.reject(["a0000.jpg#4"], 1), "a0000.jpg has no face 4"),
        (lambda library: library.undo(), "nothing to undo"),
        (lambda library: library.redo(), "nothing to redo"),
        (lambda library: library.undo(1), "#1 is no decision"),
        (lambda library: library.ignore(), "No face was named"),
    ],
)
def test_what_cant_be_done_is_refused_and_changes_nothing(
    album: Album, say: Callable[[Any], object], problem: str
) -> None:
    before = (album.people(), album.library.revision)
    with pytest.raises(DecisionError, match=problem) as refused:
        say(album.library)
    assert refused.value.mend
    assert (album.people(), album.library.revision) == before


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("محمد\u200cرضا", "محمد\u200cرضا"),
        ("ක්\u200dෂ", "ක්\u200dෂ"),
        ("Ada 👩\u200d🚀", "Ada 👩\u200d🚀"),
        ("\U0001f3f4\U000e0067\U000e0062\U000e007f", "\U0001f3f4\U000e0067\U000e0062\U000e007f"),
        ("\u200fדנה\u200f\u200d ", "דנה"),
        ("\ufeffZoe\u0308\u00ad\u3000\n X", "Zoë X"),
        ("rare \ue000 and new \U00031350", "rare \ue000 and new \U00031350"),
        ("", ""),
    ],
)
def test_names_of_every_script_are_kept_without_what_nobody_sees(name: str, kept: str) -> None:
    assert clean_name(name) == clean_name(kept) == kept


def test_no_two_people_have_one_name(album: Album) -> None:
    library = album.library
    library.name(1, "Ada")
    with pytest.raises(DecisionError, match=r"Person 1 is called Ada already\. Merge them"):
        library.name(2, "Ada")
    library.merge(1, 2)
    with pytest.raises(DecisionError, match=r"Person 2 is a part of Ada \(1\) since they were merged. Say 1"):
        library.name(2, "Eva")


def test_a_stale_decision_is_refused_with_what_changed(album: Album) -> None:
    library = album.library
    seen = library.revision
    library.name(1, "Ada")
    library.name(3, "Cy", seen=seen)  # nobody touched person 3
    with pytest.raises(StaleError, match="Since you looked, this was changed: #2 Called Person 1 Ada") as stale:
        library.merge(2, 1, seen=seen)
    assert stale.value.entries == (2,)
    face = album.files(2)[0]
    library.assign([face], 1)
    with pytest.raises(StaleError, match="1 face is Ada"):
        library.split([face, album.files(2)[1]], seen=seen)
    library.merge(2, 1, seen=library.revision)
    (alone,) = album.add([9])
    seen = library.revision
    library.not_a_face([alone])  # moves nobody, and yet it is about this face
    with pytest.raises(StaleError, match="1 face is not a face"):
        library.assign([alone], 3, seen=seen)


def test_a_grouping_contradicts_nothing_that_it_only_heeded(album: Album) -> None:
    seen = album.library.revision
    named = album.library.name(1, "Ada")
    album.cluster()
    service = DecisionService()
    with open_to_decide(album.library.folder) as store:
        with pytest.raises(StaleError) as stale:
            service.decide(store, Name(1, name="Bea"), seen=seen, lenient=True)
        assert named.id in stale.value.entries
        service.decide(store, Name(1, name="Bea"), seen=named.id, lenient=True)


def test_decisions_that_were_made_together_are_undone_at_once(album: Album) -> None:
    library, service = album.library, DecisionService()
    before = album.people()
    with open_to_decide(library.folder) as store:
        (first,) = service.decide(store, Merge(1, (2,)))
        service.decide(store, Name(1, name="Ada", group=first.id))
        with pytest.raises(DecisionError, match="#99 is no decision"):
            service.decide(store, Name(1, name="Bea", group=99))
    assert [one.group for one in library.decisions[-2:]] == [0, first.id]
    undone = library.undo()
    assert (undone.target, [one.kind for one in library.decisions[-2:]]) == (first.id, ["undo", "undo"])
    assert (album.people(), set(library.people["name"])) == (before, {""})
    library.redo()
    assert (len(album.people()), "Ada" in library.people["name"]) == (len(before) - 1, True)
    library.undo(first.id)  # the one that is named, and nothing else
    assert (album.people().keys(), "Ada" in library.people["name"]) == (before.keys(), True)


def test_the_last_decision_is_undone_only_by_who_knows_it(album: Album) -> None:
    library = album.library
    mine = library.name(1, "Ada")
    theirs = library.name(2, "Bea")
    with pytest.raises(StaleError, match="#3 Called Person 2 Bea"):
        library.undo(seen=mine.id)
    library.undo(mine.id, seen=mine.id)
    assert library.undo(seen=library.revision).target == theirs.id


def test_undo_reaches_back_and_redo_comes_forth(album: Album) -> None:
    library = album.library
    first = library.name(1, "Ada")
    library.name(2, "Bea")
    library.undo(first.id)
    assert set(library.people["name"]) == {"", "Bea"}
    with pytest.raises(DecisionError, match="was undone already"):
        library.undo(first.id)
    library.undo()
    library.redo()
    assert set(library.people["name"]) == {"", "Bea"}
    library.redo()
    assert set(library.people["name"]) == {"", "Ada", "Bea"}
    with pytest.raises(DecisionError, match="nothing to redo"):
        library.redo()
    log = library.log
    assert log["kind"].to_list() == ["cluster", "name", "name", "undo", "undo", "redo", "redo"]
    assert log["words"].to_list()[3] == "Undid #2: Called Person 1 Ada"
    assert log["live"].all()


def test_people_come_back_with_their_name_when_their_pictures_do(album: Album) -> None:
    library, a = album.library, album.person("a")
    library.name(a, "Ada")
    files = album.files(a)
    album.remove(files)
    album.cluster()
    assert "Ada" not in library.people["name"].to_list()
    with library.writing() as store, store.transaction() as connection:
        connection.execute("UPDATE file SET present = 1")
    album.cluster()
    assert album.people()[a] == set(files)
    assert "Ada" in library.people["name"].to_list()


def test_decisions_hold_for_a_grouping_that_knows_no_constraints(album: Album) -> None:
    library, a, b = album.library, album.person("a"), album.person("b")
    face = album.files(a)[0]
    library.name(a, "Ada")
    library.assign([face], b)
    library.not_a_face(album.files(b)[-1:])
    with open_to_write(library.folder) as store:
        jobs.cluster(store, GroupingSettings(people=6), classic=ClassicSettings(components=10))
    assert album.person_of(face) == b
    assert album.person("a") == a
    assert library.people.filter(library.people["person"] == a)["name"].item() == "Ada"
    assert library.faces.filter(library.faces["status"] == "not_a_face").height == 1


def test_two_faces_that_are_alone_can_be_told_apart_or_put_together(album: Album) -> None:
    one, other = album.add([10, 10])
    album.library.different(faces=[one, other])
    album.cluster(expected_false_merges=0.5)
    assert album.person_of(one) is None or album.person_of(one) != album.person_of(other)
    album.library.undo()
    new = album.library.split([one, other]).person
    assert album.person_of(one) == album.person_of(other) == new
    with pytest.raises(DecisionError, match="One face alone can't be compared"):
        album.library.different(faces=[one])


def test_a_name_can_wait_for_a_grouping_in_another_process(album: Album, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is decided while faces are grouped is heard when that ends."""
    library = album.library

    def group(*words: Any, **more: Any) -> Clustering:
        library.name(1, "Ada")
        library.merge(1, 2)
        library.reject([album.files(3)[0]], 3)
        return cluster_with_quality(*words, **more)

    face = album.files(3)[0]
    monkeypatch.setattr(jobs, "cluster_with_quality", group)
    with open_to_write(library.folder) as store:
        jobs.cluster(store, GroupingSettings())
    assert 2 not in album.people()
    assert len(album.people()[1]) == 16
    assert album.person_of(face) is None
    assert library.log["kind"].to_list() == ["cluster", "name", "merge", "reject", "cluster"]


def test_a_number_below_that_of_named_people_mixes_nobody(album: Album) -> None:
    before = {letter: album.files(album.person(letter)) for letter in "abcdef"}
    for letter in "abcdef":
        album.library.name(album.person(letter), letter)
    with open_to_write(album.library.folder) as store:
        notes = dict(jobs.cluster(store, GroupingSettings(people=2)).notes)
    assert {letter: album.files(album.person(letter)) for letter in "abcdef"} == before
    told = Summary.of(album.library.faces, {}, notes)
    assert "no fewer than the 6 people" in "\n".join(summary_lines(Added(1, 1, 0, 0, 0, 0, 0), told))

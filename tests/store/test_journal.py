from __future__ import annotations

import errno
import json
import os
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zlib import crc32

import pytest

from unmingle.decisions import journal
from unmingle.decisions.kinds import read_command
from unmingle.errors import LibraryError, WriteError
from unmingle.files import JOURNAL
from unmingle.store.sqlite import open_to_read

from .conftest import Album

if TYPE_CHECKING:
    from datetime import tzinfo
    from pathlib import Path


def decide(album: Album) -> None:
    """Some decisions of each sort."""
    library, one, other = album.library, album.person("a"), album.person("b")
    library.name(one, "Ada Lovelace")
    library.merge(one, other)
    library.split(album.files(album.person("c"))[:2])
    library.not_a_face(album.files(album.person("d"))[0])
    library.undo(3)
    library.ignore(album.person("e"))


def agrees(folder: Path) -> bool:
    """Whether the journal says what the log says."""
    with open_to_read(folder) as store:
        log = [journal.said(line) for line in journal.lines(store.connection)]
    return [journal.said(line) for line in journal.read(folder).lines.values()] == log


def test_each_decision_is_a_line_that_stands_for_itself(album: Album) -> None:
    decide(album)
    texts = (album.library.folder / JOURNAL).read_text().splitlines()
    assert [json.loads(text)["id"] for text in texts] == list(range(1, 8))
    named = json.loads(texts[1])
    assert named["body"]["name"] == "Ada Lovelace"
    assert {where["file"][0] for where in named["regions"].values()} == {"a"}
    assert agrees(album.library.folder)
    assert journal.read(album.library.folder).unreadable == 0


def test_a_line_too_many_or_cut_off_is_replaced(album: Album) -> None:
    """A kill leaves these: while a line is written, and between the line and the end of the transaction."""
    path = album.library.folder / JOURNAL
    album.library.name(album.person("a"), "Ada")
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    album.library.name(album.person("b"), "Bob")
    assert agrees(album.library.folder)
    assert journal.read(album.library.folder).unreadable == 1
    before = (album.library.folder / "library.sqlite").read_bytes()
    album.library.name(album.person("c"), "Cleo")
    (album.library.folder / "library.sqlite").write_bytes(before)  # as it was before the end of the transaction
    album.library.name(album.person("d"), "Dan")
    assert agrees(album.library.folder)
    lines = journal.read(album.library.folder).lines.values()
    assert [line["body"].get("name") for line in lines] == [None, "Ada", "Bob", "Dan"]


def test_a_line_that_does_not_get_to_the_disk_leaves_nothing(album: Album, monkeypatch: pytest.MonkeyPatch) -> None:
    path = album.library.folder / JOURNAL
    before, write = path.read_bytes(), os.write

    def full(handle: int, content: bytes) -> int:
        if len(content) < 9:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(handle, content[: len(content) // 2])

    with monkeypatch.context() as patch:
        patch.setattr("unmingle.decisions.journal.os.write", full)
        with pytest.raises(WriteError, match=r"No space left on device. Nothing was decided."):
            album.library.name(album.person("a"), "Ada")
    assert path.read_bytes() == before
    album.library.name(album.person("a"), "Ada")
    assert agrees(album.library.folder)


def test_a_line_in_place_of_the_last_entry_is_replaced(album: Album) -> None:
    """Two processes that are killed at once leave it: one had committed, the other had written only its line."""
    folder = album.library.folder
    album.library.name(album.person("a"), "Ada")
    before = {name: (folder / name).read_bytes() for name in ("library.sqlite", JOURNAL)}
    album.library.merge(album.person("b"), album.person("c"))
    stale = (folder / JOURNAL).read_bytes()
    for name, content in before.items():
        (folder / name).write_bytes(content)
    album.library.name(album.person("b"), "Bob")
    (folder / JOURNAL).write_bytes(stale)
    album.library.check(repair=True)
    assert agrees(folder)
    (folder / JOURNAL).write_bytes(stale)
    album.library.name(album.person("d"), "Dan")
    assert agrees(folder)
    assert [line["body"].get("name") for line in journal.read(folder).lines.values()] == [None, "Ada", "Bob", "Dan"]


class Later(datetime):
    """The next second, by which entries are known."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Later:
        return super().now(tz) + timedelta(seconds=1)


def test_another_librarys_journal_is_neither_taken_nor_written_over(
    album: Album, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide(album)
    monkeypatch.setattr("unmingle.decisions.log.datetime", Later)
    other = Album(tmp_path / "other", seed=9)
    other.library.name(other.person("a"), "Eve")
    other.library.name(other.person("b"), "Mallory")
    held = (other.library.folder / JOURNAL).read_bytes()
    (album.library.folder / JOURNAL).write_bytes(held)
    log = album.library.log.rows()
    for deed in (lambda: album.library.name("Ada Lovelace", "Ada"), lambda: album.library.check(repair=True)):
        with pytest.raises(LibraryError, match=r"another's journal|another library's"):
            deed()
        assert (album.library.folder / JOURNAL).read_bytes() == held
        assert album.library.log.rows() == log
    assert "journal" in {fault.kind for fault in album.library.check().faults}


def test_a_library_from_before_gets_its_journal_with_the_next_decision(album: Album) -> None:
    decide(album)
    (album.library.folder / JOURNAL).unlink()
    album.library.name(album.person("a"), "Ada")
    assert agrees(album.library.folder)


def test_an_older_copy_does_not_write_over_newer_decisions(album: Album) -> None:
    before = (album.library.folder / "library.sqlite").read_bytes()
    decide(album)
    (album.library.folder / "library.sqlite").write_bytes(before)
    held = (album.library.folder / JOURNAL).read_bytes()
    with pytest.raises(LibraryError, match="decisions that the library lacks") as caught:
        album.library.name(album.person("a"), "Somebody")
    assert "unmingle check" in caught.value.mend
    assert (album.library.folder / JOURNAL).read_bytes() == held
    assert not album.library.log.height > 1


def test_decisions_of_another_machine_are_not_written_over_and_what_a_repair_drops_is_told(
    album: Album, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cloud put the journal of one laptop beside the database of another; both had decided something since."""
    other = album.copied(tmp_path / "other").library
    album.library.merge(album.person("a"), album.person("b"))
    monkeypatch.setattr("unmingle.decisions.log.datetime", Later)
    other.name(album.person("c"), "Cleo")
    other.name(album.person("d"), "Dan")
    held = (other.folder / JOURNAL).read_bytes()
    (album.library.folder / JOURNAL).write_bytes(held)
    with pytest.raises(LibraryError, match="decisions that the library lacks"):
        album.library.ignore(album.person("e"))
    assert (album.library.folder / JOURNAL).read_bytes() == held
    repaired = album.library.check(repair=True)
    assert {fault.kind for fault in repaired.faults} == {"file"}  # there are none
    assert "which are lost: #2 Merged Person " in " ".join(repaired.repaired)
    assert agrees(album.library.folder)
    assert set(album.library.people["name"]) == {"", "Cleo", "Dan"}


def test_a_journal_that_is_a_link_is_not_written_through(album: Album, tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    (album.library.folder / JOURNAL).unlink()
    (album.library.folder / JOURNAL).symlink_to(tmp_path / "mine")
    with pytest.raises(WriteError, match="can't be written"):
        album.library.name(album.person("a"), "Ada")
    assert not (tmp_path / "mine").read_bytes()
    assert not album.library.log.height > 1


HOSTILE: list[dict[str, Any]] = [
    *({"id": "1"}, {"id": None}, {"made": None}, {"kind": {}}, {"body": 1}, {"body": {"faces": "ab"}}),
    *({"changed": {"words": "", "people": "x", "faces": 0}}, {"last_person": 2**70}, {"erased": [["", "00", "0"]]}),
    *({"regions": {"1": {"picture": "", "box": [1], "pixels": []}}}, {"regions": {"x": {}}}),
]


def test_a_line_that_was_made_by_hand_is_told_and_left_out(album: Album) -> None:
    decide(album)
    library, path, person = album.library, album.library.folder / JOURNAL, album.person("f")
    for number, odd in enumerate([*HOSTILE, None]):
        *texts, last = path.read_bytes().splitlines()
        line = json.loads(last)
        del line["crc"]
        text = b'{"a": ' + 10**5 * b"[" + b"}" if odd is None else json.dumps(line | odd).encode()
        path.write_bytes(b"\n".join([*texts, b'%s, "crc": %d}\n' % (text[:-1], crc32(text))]))
        found = [fault.problem for fault in library.check().faults if fault.kind == "journal"]
        assert found[:1] == [f"1 line of {JOURNAL} can't be read."], odd
        library.name(person, f"Fay {number}")
        assert {fault.kind for fault in library.check(repair=True).faults} == {"file"}, odd  # no picture is there
        assert agrees(library.folder), odd


@pytest.mark.parametrize("body", ['{"faces": "ab"}', '{"person": [1]}', '{"anchors": {"x": [1]}}', "[]"])
def test_an_entry_of_the_log_that_was_made_by_hand_is_a_clear_error(body: str) -> None:
    with pytest.raises(LibraryError, match="can't be understood"):
        read_command("split", body)

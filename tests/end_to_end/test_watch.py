"""What comes into the sources of a library is added while unmingle watch runs."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from unmingle.library import Library
from unmingle.settings import FALSE_MERGES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.command import Command

    from unmingle.demo import Meeting

pytestmark = pytest.mark.slow
PATIENCE = 60  # seconds


def until(true: Callable[[], bool], watching: subprocess.Popen[str]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert watching.poll() is None, watching.communicate()
        assert time.monotonic() < end
        time.sleep(0.1)


def test_what_comes_is_added_and_a_source_that_is_gone_is_waited_for(
    unmingle: Command, meeting: Meeting, tmp_path: Path
) -> None:
    pictures = sorted(meeting.faces.iterdir())[:8]
    source = tmp_path / "Bilder 2019 (Küche)"
    source.mkdir()
    shutil.copy(pictures[0], source)
    assert unmingle("cluster", source, "-o", tmp_path / "library", "--strictness", "strict").code == 0
    words = [sys.executable, "-m", "unmingle", "watch", str(tmp_path / "library"), "--every", "0.3s"]
    words += ["--", "--sheets", "0"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as watching:
        try:
            for picture in pictures[1:6]:
                shutil.copy(picture, source)
            until(lambda: files(tmp_path) == 6, watching)
            source.rename(tmp_path / "away")
            time.sleep(1)
            shutil.copy(pictures[6], tmp_path / "away")
            assert files(tmp_path) == 6
            (tmp_path / "away").rename(source)
            until(lambda: files(tmp_path) == 7, watching)
        finally:
            watching.send_signal(signal.SIGTERM)
            told = watching.communicate(timeout=PATIENCE)
    assert watching.returncode == 128 + signal.SIGTERM, told
    assert "kept" in told[1]
    assert not list((tmp_path / "library" / "sheets").glob("person_*"))
    assert Library(tmp_path / "library")._as_before()[1]["settings"].expected_false_merges == FALSE_MERGES["strict"]


def files(folder: Path) -> int:
    return Library(folder / "library").faces["file"].n_unique()


def test_a_library_without_sources_is_told(unmingle: Command, tmp_path: Path) -> None:
    done = unmingle("watch", tmp_path / "none")
    assert done.code == 1
    assert "There is no library" in done.err

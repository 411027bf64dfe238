"""Writing XMP into copies of pictures, by ExifTool: it knows every format and leaves all else in a file as it was."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from unmingle.errors import PictureError, SettingsError
from unmingle.exchange.naming import LONGEST_ENDING

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

PATIENCE = 120  # seconds for one picture
# What it says when it waits for the next words, and when it has written.
_READY, _DONE = "{ready}", "1 image files updated"


class ExifTool:
    """ExifTool, started once for many pictures; used as a `with` block.

    Raises:
        SettingsError: it isn't installed.
    """

    def __init__(self) -> None:
        program = shutil.which("exiftool")
        if program is None:
            raise SettingsError(
                "ExifTool is not installed, which writes into copies of pictures.",
                "Install it (Debian: apt-get install libimage-exiftool-perl), or leave --embed out.",
            )
        self._program = program

    def __enter__(self) -> Self:
        # Names that ExifTool sees are ours, so that no name of a picture can be taken for an option or break a line.
        self._folder = tempfile.TemporaryDirectory(prefix="unmingle-")
        self._start()
        return self

    def _start(self) -> None:
        self._process = subprocess.Popen(
            [self._program, "-stay_open", "True", "-@", "-"],
            cwd=self._folder.name,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._process.communicate("-stay_open\nFalse\n", timeout=10)
        except (OSError, ValueError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        finally:
            self._folder.cleanup()

    def embed(self, original: Path, packet: bytes, copy: Path, *, ending: str = "") -> None:
        """Write a copy of a picture that has the regions of a packet; all else in it stays.

        Args:
            original: the picture.
            packet: with the regions.
            copy: where to.
            ending: of pictures of its format; empty for what its name says.

        Raises:
            PictureError: ExifTool can't write such a file, or finds it damaged.
            OSError: the copy can't be written.
        """
        ending = ending or original.suffix
        plain = ending[1:].isascii() and ending[1:].isalnum() and len(ending) < LONGEST_ENDING
        picture = Path(self._folder.name, "picture" + ending * plain)
        regions = Path(self._folder.name, "regions.xmp")
        try:
            shutil.copyfile(original, picture)
            regions.write_bytes(packet)
            words = ("-overwrite_original", "-tagsfromfile", regions.name, "-XMP-mwg-rs:RegionInfo", picture.name)
            said = self._ask(*words)
            if _DONE not in said:
                problems = [line.removeprefix("Error: ").partition(" - ")[0] for line in said if "Error" in line]
                raise PictureError(f"ExifTool can't write into it: {'; '.join(problems) or 'it says nothing'}")
            shutil.copyfile(picture, copy)
        finally:
            picture.unlink(missing_ok=True)

    def _ask(self, *words: str) -> list[str]:
        """The lines of its answer; it is started anew after a picture that ended it."""
        if self._process.poll() is not None:
            with contextlib.suppress(OSError), self._process:  # closes its pipes
                pass
            self._start()
        watch = threading.Timer(PATIENCE, self._process.kill)
        watch.start()
        try:
            return self._asked(*words)
        finally:
            watch.cancel()

    def _asked(self, *words: str) -> list[str]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write("\n".join((*words, "-execute\n")))
            self._process.stdin.flush()
        except OSError as error:
            self._process.kill()
            self._process.wait()
            raise PictureError("ExifTool has ended") from error
        answer: list[str] = []
        for line in self._process.stdout:
            if line.strip() == _READY:
                return answer
            answer.append(line.strip())
        self._process.wait()  # so that the next picture finds it ended
        raise PictureError(f"ExifTool ended: {'; '.join(answer)}")

"""Writing files so that a reader sees the old one or the new one, never half of it."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from unmingle.errors import WriteError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def replacing(destination: Path, *, mode: int = 0o644) -> Iterator[Path]:
    """Give a temporary path beside `destination`; on success it takes its place at once, with these permissions.

    Raises:
        WriteError: the folder can't be written, or the disk is full.
    """
    temporary: Path | None = None
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        # The suffix stays, since writers of pictures and tables read the format from it.
        handle, name = tempfile.mkstemp(dir=destination.parent, prefix=".", suffix=destination.suffix)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        temporary.chmod(mode)
        temporary.replace(destination)
    except OSError as error:
        raise WriteError(
            f"{destination} can't be written: {error.strerror or error}.", "Free some space or choose another folder."
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def write_atomically(destination: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Write `content` to `destination` in one step (see `replacing`)."""
    with replacing(destination, mode=mode) as temporary:
        temporary.write_bytes(content)

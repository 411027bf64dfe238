"""The library's files as they lie on the disk, and whether they are still what was read."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from unmingle.sources.images import PictureFile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unmingle.store.sqlite import Store

# Of the tables source and file: what `HeldFile.of` takes.
HELD = "source.path, file.path, file.size, file.modified"


@dataclass(frozen=True, slots=True)
class HeldFile:
    """A file; size and modified, in ns: what it was when it was last read."""

    file: PictureFile
    size: int
    modified: int

    @classmethod
    def of(cls, row: Sequence[Any]) -> HeldFile:
        """The file of a row with the columns `HELD`."""
        source, path, size, modified = row
        return cls(PictureFile(os.fsdecode(source), os.fsdecode(path)), size, modified)

    @property
    def changed(self) -> str:
        """Why it is not what was read; empty if it still is."""
        try:
            status = self.file.path.stat()
        except OSError as error:
            return f"can't be opened: {error.strerror}"
        same = (status.st_size, status.st_mtime_ns) == (self.size, self.modified)
        return "" if same else "changed since it was read: run unmingle cluster again"


def held_file(store: Store, file: int) -> HeldFile | None:
    """The file of a row; None if there is no such row."""
    query = f"SELECT {HELD} FROM file JOIN source ON source.id = file.source WHERE file.id = ?"
    row = store.connection.execute(query, (file,)).fetchone()
    return None if row is None else HeldFile.of(row)

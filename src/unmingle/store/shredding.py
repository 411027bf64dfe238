"""Taking plain files away from a library that is encrypted now, and what a change of its key has left."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from unmingle.files import JOURNAL, TEMPORARY
from unmingle.sources.images import LIBRARY_FILE as FILE
from unmingle.store.encryption import SEALED, Mark, salt_of
from unmingle.store.facts import PLAIN
from unmingle.store.outputs import REPLACED, VIEWS, files_of

if TYPE_CHECKING:
    from pathlib import Path

    from unmingle.store.sqlite import Store

OLD = "library-old.sqlite"  # the file of before, while a key is changed
_BLOCK = 1 << 20


def shred(path: Path) -> None:
    """Overwrite a file and delete it; what a disk keeps of it elsewhere, nobody can overwrite."""
    with suppress(OSError), os.fdopen(os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0)), "rb+") as file:
        status = os.fstat(file.fileno())
        if stat.S_ISREG(status.st_mode) and status.st_nlink == 1:  # else it is somebody's file by another name
            for at in range(0, status.st_size, _BLOCK):
                file.write(bytes(min(_BLOCK, status.st_size - at)))
            file.flush()
            os.fsync(file.fileno())
    path.unlink(missing_ok=True)


def finish(store: Store) -> None:
    """Let a library's folder hold only what goes with its key, or with none."""
    folder, salt = store.folder, salt_of(store.folder / FILE)
    plain = (*VIEWS, REPLACED) if salt and not store.fact(PLAIN) else (f"{TEMPORARY}*",)
    for path in files_of(folder, (OLD, *plain)):
        shred(path)
    journal = folder / JOURNAL
    with suppress(FileNotFoundError), journal.open("rb") as file:
        sealed = file.read(len(SEALED)) == SEALED
    if journal.exists() and sealed != bool(salt):  # the next decision writes it anew
        shred(journal)
    Mark(tuple(one for one in Mark.of(folder).keys if one[0] == salt)).write(folder)

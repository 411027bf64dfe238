"""Taking plain files away from a library that is encrypted now, and what a change of its key has left."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO

from unmingle.files import JOURNAL, TEMPORARY
from unmingle.sources.formats import LIBRARY_FILE as FILE
from unmingle.store.encryption import NEW, Mark
from unmingle.store.facts import PLAIN
from unmingle.store.outputs import REPLACED, VIEWS, files_of

if TYPE_CHECKING:
    from pathlib import Path

    from unmingle.store.sqlite import Store

OLD = "library-old.sqlite"  # the file of before, while a key is changed
NEW_JOURNAL = f"{TEMPORARY}new.jsonl"  # the journal that goes with the new file
_BLOCK = 1 << 20


def overwrite(file: BinaryIO) -> None:
    """Leave nothing of a file that is open; what a disk keeps of it elsewhere, nobody can overwrite."""
    size = os.fstat(file.fileno()).st_size
    for at in range(0, size, _BLOCK):
        file.write(bytes(min(_BLOCK, size - at)))
    file.flush()
    os.fsync(file.fileno())


def shred(path: Path) -> None:
    """Overwrite a file and delete it."""
    with suppress(OSError):
        status = path.lstat()
        if stat.S_ISREG(status.st_mode) and status.st_nlink == 1:  # else it is a file by another name, perhaps in use
            with path.open("rb+") as file:
                overwrite(file)
    path.unlink(missing_ok=True)


def finish(store: Store) -> None:
    """Let a library's folder hold only what goes with its key, or with none; within the writer's lock."""
    folder, mark = store.folder, Mark.of(store.folder)
    if (folder / NEW).exists():  # a kill came before it took the library's place
        Mark(mark.key, pending=True).write(folder)
        shred(folder / NEW_JOURNAL)
    elif (folder / NEW_JOURNAL).exists():
        shred(folder / JOURNAL)
        (folder / NEW_JOURNAL).replace(folder / JOURNAL)
    plain = (*VIEWS, REPLACED) if mark.key and not store.fact(PLAIN) else (f"{TEMPORARY}*",)
    paths = files_of(folder, (OLD, f"{FILE}-journal", *plain))  # the journal is of the old file too
    for path in paths:
        shred(path)
    for one in {path.parent for path in paths} - {folder}:
        with suppress(OSError):  # there is something else in it
            one.rmdir()
    Mark(mark.key).write(folder)

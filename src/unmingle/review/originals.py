"""The whole pictures that faces are from, read from their files when they are looked at."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING

from unmingle.errors import PictureError
from unmingle.sources.containers import recording_digest
from unmingle.sources.decoding import decode
from unmingle.sources.images import digest, read_bytes
from unmingle.sources.recordings import Recording

if TYPE_CHECKING:
    from unmingle.records import U8
    from unmingle.store.held import HeldFile
    from unmingle.store.one_face import Original

    Key = tuple[str, str, int, int]  # path, digest, size, time: a recording as it was found to be

CHANGED = "the file has another content now"
KEPT = 4  # recordings whose times of frames are remembered: to learn them a file is read through, hours of it too


class Originals:
    """Reads pictures, and frames of recordings; remembers where the frames of the last recordings are."""

    def __init__(self) -> None:
        self._recordings: OrderedDict[Key, Recording] = OrderedDict()
        self._lock = Lock()

    def read(self, held: HeldFile, wanted: Original) -> U8:
        """The upright picture or frame, (h, w, 3), if the file is still what it was.

        Raises:
            PictureError: it is not, or it can't be read; the message says which.
        """
        if wanted.frame is not None:
            return self._recording(held, wanted).frame(wanted.frame).pixels
        content = read_bytes(held.file)
        if digest(content) not in wanted.bytes:
            raise PictureError(CHANGED)
        return decode(content)

    def _recording(self, held: HeldFile, wanted: Original) -> Recording:
        """A recording, known to be what is wanted: by its size and time, or else by reading all of it, once."""
        path = held.file.path
        try:
            status = path.stat()
        except OSError as error:
            raise PictureError(f"can't be opened: {error.strerror or error}") from error
        stamp = (status.st_size, status.st_mtime_ns)
        key = (str(path), wanted.digest, *stamp)
        # One at a time: who asks for the next frame of the same recording waits for what was learned of it.
        with self._lock:
            kept = self._recordings.pop(key, None)
            if kept is None:
                if stamp != (held.size, held.modified) and recording_digest(path) not in wanted.bytes:
                    raise PictureError(CHANGED)
                kept = Recording(path)  # which holds no file open between frames
            self._recordings[key] = kept
            while len(self._recordings) > KEPT:
                self._recordings.popitem(last=False)
        return kept

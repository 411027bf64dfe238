"""The packaged networks, loaded once a process; what they said of a picture is kept for all processes of a run."""

from __future__ import annotations

import hashlib
import os
import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unmingle.models import runtime

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmingle.models.runtime import Session
    from unmingle.records import F32
    from unmingle.settings import Precision

PACKAGED = ("yunet-", "sface-")  # their prepared files are named by their content
Outputs = dict[str, "F32"]


class Remembered:
    """A session that runs its network only on what no process of this run has shown it yet."""

    def __init__(self, session: Session, name: str, folder: Path) -> None:
        self.session, self.name, self.folder = session, name, folder
        self.known: dict[str, Outputs] = {}
        self.precision = session.precision

    def __call__(self, batch: NDArray[Any]) -> Outputs:
        if len(batch) == 0:
            return self.session(batch)
        keys = [self._key(row) for row in batch]
        new = [i for i, key in enumerate(keys) if not self._is_known(key)]
        if new:
            outputs = self.session(batch[new])
            for place, i in enumerate(new):
                self._keep(keys[i], {name: value[place].copy() for name, value in outputs.items()})
        rows = [self.known[key] for key in keys]
        # A graph out of OpenVINO's cache has other names for its outputs beside those it shares with the original.
        shared = set.intersection(*(set(row) for row in rows))
        return {name: np.stack([row[name] for row in rows]) for name in rows[0] if name in shared}

    def _key(self, row: NDArray[Any]) -> str:
        what = f"{self.name} {row.dtype} {row.shape}".encode()
        return hashlib.sha256(what + np.ascontiguousarray(row).tobytes()).hexdigest()

    def _is_known(self, key: str) -> bool:
        if key not in self.known:
            try:
                self.known[key] = pickle.loads((self.folder / key).read_bytes())
            except FileNotFoundError:
                return False
        return True

    def _keep(self, key: str, row: Outputs) -> None:
        self.known[key] = row
        unfinished = self.folder / f"{key} {os.getpid()} {id(row)}"
        unfinished.write_bytes(pickle.dumps(row, pickle.HIGHEST_PROTOCOL))
        unfinished.replace(self.folder / key)


def remembering(folder: Path) -> Any:
    """What stands for `runtime.OpenVinoSession`: the packaged networks are remembered in a folder."""
    folder.mkdir(exist_ok=True)
    opened: dict[tuple[str, str, int], Remembered] = {}
    real = runtime.OpenVinoSession

    def open_session(model: Path | bytes, *, precision: Precision, threads: int) -> Session:
        if isinstance(model, bytes) or not model.name.startswith(PACKAGED):
            return real(model, precision=precision, threads=threads)
        key = (model.name, runtime.resolve_precision(precision), threads)
        if key not in opened:
            opened[key] = Remembered(real(model, precision=precision, threads=threads), f"{key[0]} {key[1]}", folder)
        return opened[key]

    return open_session

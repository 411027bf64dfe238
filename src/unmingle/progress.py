"""How far the work is, how long its stages took, and how much memory: told to whoever shows it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

T = TypeVar("T")
Stage = Literal["draw", "analyse", "watch", "cluster", "read", "write", "fetch"]
# Told how much of a stage is done, and of how much: 0 while unknown; of "watch", seconds of recordings.
Progress = Callable[[Stage, int, int], None]


def silent(stage: Stage, done: int, total: int) -> None:
    """A Progress that tells nobody."""


@dataclass(slots=True)
class Times:
    """Seconds spent in each stage."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Add the time of a block to its stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - start

    def coming(self, items: Iterator[T], stage: str) -> Iterator[T]:
        """The items; what each takes to come adds to a stage."""
        while True:
            with self.measure(stage):
                item = next(items, None)
            if item is None:
                return
            yield item


def peak_memory() -> int | None:
    """The most bytes that this process has held at once; None where the system doesn't say."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux' `ru_maxrss` of a child begins with its parent's size
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    try:
        import resource
    except ImportError:  # on Windows
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

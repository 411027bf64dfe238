"""Batches in processes of their own: what crashes, hangs or raises is narrowed down to the mutant that does it."""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import resource
import shutil
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fuzzing.mutants import signature, spare_networks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from multiprocessing.connection import Connection

    from fuzzing.mutants import Kind, Outcome

PATIENCE = 10.0  # seconds of work for one mutant
WAITING = 30.0  # times as long by the clock: the machine may be busy with other things
EACH, START = 0.1, 30.0  # seconds for each of many, and for the models to be there
ADDRESSES = 12 << 30  # bytes that a process may map


@dataclass
class Told:
    """What came of one batch, or of its parts.

    numbers: of the mutants.
    outcome: None if it failed, with `fault` and `what`.
    peak:    bytes.
    """

    numbers: Sequence[int]
    outcome: Outcome | None = None
    fault: str = ""
    what: str = ""
    peak: int = 0


def work(make: Callable[[str], Kind], seed: int, pipe: Connection, log: str) -> None:
    """What a child does, for ever: a batch after the other."""
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)  # decoders write of damage to the terminal
    faulthandler.enable()
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    spare_networks()
    kinds: dict[str, Kind] = {}
    place = Path(log).parent
    while True:
        kind, numbers = pipe.recv()
        _forget_peak()
        folder = Path(tempfile.mkdtemp(dir=place))
        try:
            if kind not in kinds:
                kinds[kind] = make(kind)
            pipe.send(Told(numbers, kinds[kind].run(folder, numbers, seed), peak=_peak("self")))
        except (Exception, SystemExit) as error:  # noqa: BLE001  # what is looked for
            pipe.send(Told(numbers, fault="tracebacks", what=signature(error), peak=_peak("self")))
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _forget_peak() -> None:
    with suppress(OSError):  # else the peak is of all batches so far
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _peak(process: int | str) -> int:
    """The most bytes that a process had in memory."""
    with suppress(OSError):
        for line in Path(f"/proc/{process}/status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) << 10
    return 0


@dataclass
class Child:
    """A process that takes batches, and is started anew after it died. make: a kind, by its name."""

    make: Callable[[str], Kind]
    seed: int
    place: Path
    _process: Any = None
    _pipe: Connection | None = None
    _ready: set[str] = field(default_factory=set)

    def narrowed(self, kind: str, numbers: Sequence[int]) -> Iterator[Told]:
        """What came of a batch; of a part that failed, what came of its halves."""
        told = self._ask(kind, numbers)
        if told.outcome is not None or len(numbers) == 1:
            yield told
            return
        middle = len(numbers) // 2
        parts = [one for half in (numbers[:middle], numbers[middle:]) for one in self.narrowed(kind, half)]
        if all(one.outcome is not None for one in parts):
            told.what = f"only with others, {numbers[0]} to {numbers[-1]}: {told.what}"
            yield told
        yield from parts

    def _ask(self, kind: str, numbers: Sequence[int]) -> Told:
        pipe = self._started()
        pipe.send((kind, numbers))
        limit = PATIENCE + EACH * (len(numbers) - 1) + (0 if kind in self._ready else START)
        self._ready.add(kind)
        before, begun = seconds_of(self._process.pid), time.monotonic()
        while not pipe.poll(0.2):
            used, waited = seconds_of(self._process.pid) - before, time.monotonic() - begun
            if not self._process.is_alive() and not pipe.poll(0):
                return self._died(numbers)
            if used > limit or waited > WAITING * limit:
                peak = _peak(self._process.pid)
                self.stop()
                return Told(
                    numbers, fault="hangs", what=f"{used:.0f} s of work, {waited:.0f} s by the clock", peak=peak
                )
        try:
            return pipe.recv()
        except EOFError:
            return self._died(numbers)

    def _died(self, numbers: Sequence[int]) -> Told:
        self._process.join()
        code = self._process.exitcode
        log = (self.place / "log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
        self.stop()
        said = [line for line in log if "File" in line or "rror" in line or "alloc" in line or "panic" in line][:3]
        return Told(numbers, fault="crashes", what=f"ended by {-code if code < 0 else code}: {' | '.join(said)[:300]}")

    def _started(self) -> Connection:
        if self._process is None:
            self.place.mkdir(parents=True, exist_ok=True)
            context = multiprocessing.get_context("spawn")
            self._pipe, theirs = context.Pipe()
            words = (self.make, self.seed, theirs, str(self.place / "log"))
            self._process = context.Process(target=work, args=words, daemon=True)
            self._process.start()
            theirs.close()
            self._ready.clear()
        assert self._pipe is not None
        return self._pipe

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process = None
            shutil.rmtree(self.place, ignore_errors=True)


def seconds_of(process: int) -> float:
    """Of the processor, that a process has used."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

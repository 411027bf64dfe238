"""Graphs are opened one after the other, each in forks of a process that has all imported and nothing opened yet.

First as `check_alone` has it, then, if that ended well, as the program does. To be started as a process, which takes
paths, one a line, and answers with a line each.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from fuzzing.isolate import WAITING, seconds_of
from fuzzing.mutants import signature
from unmingle.errors import UnmingleError
from unmingle.models import embedding, graphs, runtime  # noqa: F401
from unmingle.models.registry import Intake
from unmingle.settings import EngineSettings

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 10.0  # seconds for a graph that could be opened alone
Told = tuple[str, str]  # well, refused, raised, died or late; and what was said


def start() -> subprocess.Popen[str]:
    """The process; it ends with whoever has started it."""
    words = [sys.executable, "-c", f"from {__name__} import serve; serve()"]
    paths = os.pathsep.join([str(Path(__file__).parents[1]), *filter(None, sys.path)])
    environment = os.environ | {"PYTHONPATH": paths}
    return subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    )


def ask(process: subprocess.Popen[str], file: Path) -> tuple[Told, Told | None]:
    """What became of a graph alone; and in the program, if it got there."""
    assert process.stdin
    assert process.stdout
    process.stdin.write(f"{file}\n")
    process.stdin.flush()
    alone, then = json.loads(process.stdout.readline())
    return tuple(alone), then and tuple(then)


def serve() -> None:
    """Answer for ever."""
    import onnx  # noqa: F401  # it, and the others, are there in each fork

    runtime.import_openvino()
    settings = EngineSettings(threads=1, precision="f32")
    for line in sys.stdin:
        file = Path(line.rstrip("\n"))
        alone = _forked(partial(embedding.open_alone, str(file), ""), embedding.PATIENCE)
        then = None
        if alone[0] == "well":
            then = _forked(partial(embedding.open_embedding, file, Intake(), settings), PATIENCE)
        sys.stdout.write(json.dumps([alone, then]) + "\n")
        sys.stdout.flush()


def _forked(do: Callable[[], object], patience: float) -> Told:
    reading, writing = os.pipe()
    process = os.fork()
    if not process:
        told = ("well", "")
        try:
            do()
        except UnmingleError as error:
            told = ("refused", error.problem)
        except BaseException as error:  # noqa: BLE001  # what is looked for
            told = ("raised", signature(error))
        os.write(writing, json.dumps(told).encode()[:4000])
        os._exit(0)
    os.close(writing)
    late, begun = False, time.monotonic()
    while not late and not select.select([reading], [], [], 0.2)[0]:
        # Of work: by the clock, a graph that another program keeps from running would be late.
        late = seconds_of(process) > patience or time.monotonic() - begun > WAITING * patience
    if late:
        os.kill(process, signal.SIGKILL)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read()
    ended = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    if late:
        return "late", f"over {patience:.0f} s"
    return tuple(json.loads(said)) if said else ("died", f"ended by {ended}")

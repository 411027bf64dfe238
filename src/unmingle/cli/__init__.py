"""The command line, how it begins and ends: streams that take any text, and an end by Ctrl+C that says what is kept.

Exit codes: 0 done, 1 a clear error, 2 wrong usage, 130 stopped by Ctrl+C.

It loads nothing but the standard library, so that Ctrl+C ends the loading of the rest as clearly.
"""

from __future__ import annotations

import codecs
import gc
import io
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

STOPPED = 128  # a process that a signal ended has this and the signal's number as its exit code
READER_GONE = STOPPED + 13  # SIGPIPE's, which Windows has no name for
REPEAT = "Nothing is done by half: the same command does it anew."


class Stopped(BaseException):  # no error
    """Somebody stopped the program by a signal: no KeyboardInterrupt, which libraries end in ways of their own."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


_received: list[int] = []  # signals


def check_stopped() -> None:
    """Stop here if a signal came whose exception was lost: Python drops what is raised in its callbacks."""
    if _received:
        raise Stopped(_received[0])


@contextmanager
def _found_again() -> Iterator[None]:
    """Stop where something else was made of the signal's exception, as an ImportError is in the middle of an import."""
    try:
        yield
    except Exception:
        check_stopped()
        raise


def main() -> None:
    """Run the command line."""
    _received.clear()
    gc.set_threshold(100_000, 50, 100)  # what is loaded is no garbage: looking for some takes a fifth of the start
    # NumPy's threads keep a core busy for a while after each product, and at the start; now 2^20 cycles, not 2^26.
    os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "20")
    take_any_text()
    if os.environ.get("COLUMNS") == "0":  # said where nobody knows it: tables and help would show nothing
        del os.environ["COLUMNS"]
    with _signals_stop():
        try:
            with _found_again():
                from unmingle.cli.commands import run

                run()
        except Stopped as stop:
            from unmingle.text_layout import printable

            print("Stopped.", *map(printable, getattr(stop, "__notes__", [REPEAT])), file=sys.stderr)
            sys.exit(STOPPED + stop.number)
        except SystemExit as end:
            if isinstance(end.__context__, BrokenPipeError):  # Rich, which writes the help, ends with 1 there
                end.code = READER_GONE
            raise
        finally:
            gc.freeze()  # nor is it looked at again when Python ends
            _flush()


@contextmanager
def keeping(sentence: str, *, once: Path | None = None) -> Iterator[None]:
    """Say what is kept, and how to go on, if the block is stopped; `once` is there as soon as anything is kept."""
    try:
        with _found_again():
            check_stopped()
            yield
            check_stopped()
    except Stopped as stop:
        stop.add_note(sentence if once is None or once.exists() else "Nothing was stored yet.")
        raise


@contextmanager
def _signals_stop() -> Iterator[None]:
    """Let Ctrl+C and SIGTERM stop the block in the same way, and a second one end the process at once."""

    def at_once(number: int, frame: FrameType | None) -> None:
        os._exit(STOPPED + number)  # what was stored is stored

    def stop(number: int, frame: FrameType | None) -> None:
        for one in ours:
            signal.signal(one, at_once)
        _received.append(number)
        raise Stopped(number)

    before = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}
    # Who started this may have let it pass over a signal, as nohup does.
    ours = [one for one, handler in before.items() if handler != signal.SIG_IGN]
    for one in ours:
        signal.signal(one, stop)
    try:
        yield
    finally:
        for one in ours:
            signal.signal(one, before[one])


def take_any_text() -> None:
    """Write what a terminal or a pipe can't show as JSON escapes it, so that text never ends a command.

    A stream that is closed leads nowhere instead: the next file that is opened would have its number.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: PTH123, SIM115
    codecs.register_error("unmingle", _escaped)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="unmingle")


def _escaped(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2)), error.end


def _flush() -> None:
    """Hand over what was printed; where nobody reads it any more, nothing is said of it."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            # Python flushes once more at its end, and would complain.
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())

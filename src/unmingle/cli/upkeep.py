"""The commands that keep a library: watch, check, backup, encrypt, erase, privacy, forget, relocate."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument, Option

from unmingle import console
from unmingle.cli import Stopped, keeping
from unmingle.cli import options as opt
from unmingle.cli.decisions import FACES
from unmingle.errors import DecisionError, SettingsError, SourceError, command
from unmingle.files import stamp
from unmingle.text_layout import counted

if TYPE_CHECKING:
    from unmingle.decisions.erasing import Erasure

SHARE = 10  # at least so many times as long as a look took is waited before the next
WRONG_USAGE = 2
SHOWN = 20  # exports and pages on the terminal; --json has them all


def watch(
    library: opt.LibraryArgument,
    options: Annotated[
        list[str] | None, Argument(metavar="[-- OPTION...]", help="Options for unmingle cluster, after two dashes.")
    ] = None,
    every: Annotated[str, Option(metavar="TIME", help="Time between two looks, such as 30s.")] = "30s",
    quiet: opt.Quiet = False,
) -> None:
    """Add what comes into the sources of LIBRARY, until Ctrl+C.

    Looks at names, sizes and times, also on network drives, and runs unmingle cluster once two looks see the same. A
    source that is gone is waited for; what failed is tried again at the next look.
    """
    opened, pause = opt.open_library(library), opt.seconds(every)
    if "--recipe" not in (options or ()):
        opened._as_before()  # what can't be gone on with is told at once
    if not opened.sources:
        raise SourceError(f"{library} has no sources.", f"Add one: {command('cluster', 'PICTURES', '-o', library)}")
    if not quiet:
        console.say(f"Watching {counted(len(opened.sources), 'source')}. Ctrl+C ends it.", error=True)
    state: dict[Path, int] = {}
    before, done = None, None
    with keeping("What was found so far is kept; the same command goes on from there."):
        while True:
            began = time.monotonic()
            state |= {source: seen for source in opened.sources if (seen := _seen(source)) is not None}
            now, took = dict(state), time.monotonic() - began
            if now != done and now == (before or now):
                code = _cluster(library, ["--as-before", *(options or ()), *(["--quiet"] if quiet else [])])
                if code == WRONG_USAGE:  # which it would be at each look
                    raise typer.Exit(code)
                done = now if code == 0 else None
            before = now
            time.sleep(max(pause, SHARE * took))


def _seen(source: Path) -> int | None:
    """What a source holds, as one number; None while it isn't there."""
    from unmingle.sources.images import scan

    try:
        files = scan([source]).files
    except SourceError:
        return None
    return hash(tuple((file.path, stamp(file.path)) for file in files))


def _cluster(library: Path, options: Sequence[str]) -> int:
    """Run unmingle cluster as a process of its own, whose memory is free again afterwards."""
    from unmingle.store.encryption import key_of

    key = key_of(library)
    words = [sys.executable, "-m", "unmingle", "cluster", "-o", str(library), *options]
    env = os.environ | ({} if key is None else {opt.VARIABLE: key})
    with subprocess.Popen(words, env=env, start_new_session=True) as running:  # ourselves
        try:
            return running.wait()
        except Stopped as stop:
            running.send_signal(stop.number)
            running.wait()
            raise


def check(
    library: opt.LibraryArgument,
    repair: Annotated[
        bool, Option("--repair", help="Mend first what can be: decisions come back, what can be read is kept.")
    ] = False,
    as_json: opt.Json = False,
) -> None:
    """Check a library, and repair it.

    Its file, references, embeddings, thumbnails, decisions, pictures and models. It reads all of the library, and
    changes nothing without --repair. The exit code is 1 if something is wrong.
    """
    done = opt.open_library(library).check(repair=repair)
    lines = [*done.repaired, *(f"{fault.problem} {fault.mend}".strip() for fault in done.faults)]
    if not done.faults:
        lines.append("All is well.")
    else:
        again = f" To mend what can be: {command('check', library, '--repair')}"
        lines.append(f"{counted(len(done.faults), 'fault')}.{'' if repair else again}")
    console.tell(asdict(done), *lines, as_json=as_json)
    if done.faults:
        raise typer.Exit(1)


def backup(
    library: opt.LibraryArgument,
    destination: Annotated[Path, Argument(metavar="DEST", help="A new folder.")],
    as_json: opt.Json = False,
) -> None:
    """Copy a library into a new folder, also while others use it.

    The copy is of one moment. To copy library.sqlite by hand while it is open loses the last decisions.
    """
    made = opt.open_library(library).backup(destination)
    console.tell(
        {"library": str(made)}, f"The library is in {made} as well: whole, and of one moment.", as_json=as_json
    )


def encrypt(
    library: opt.LibraryArgument,
    decrypt: Annotated[bool, Option("--decrypt", help="Make a plain library of an encrypted one.")] = False,
    change_key: Annotated[bool, Option("--change-key", help="Give an encrypted library another key.")] = False,
    new_key_file: Annotated[
        Path | None,
        Option(metavar="FILE", help="File with the new key, for --change-key; else UNMINGLE_NEW_KEY, or asked."),
    ] = None,
    keyring: Annotated[bool, Option("--keyring", help="Keep the key in the system's keyring.")] = False,
    as_json: opt.Json = False,
) -> None:
    """Encrypt a library that is there, with all that it holds.

    A key that is lost can't be had back. Tables, sheets and pages in LIBRARY go, overwritten where that can be done.
    Disks and backups may keep copies.
    """
    from unmingle.store.encryption import is_encrypted
    from unmingle.store.privacy import stray_copies

    if decrypt and change_key:
        raise typer.BadParameter("--decrypt and --change-key can't both be meant.")
    opened, encrypted = opt.open_library(library), is_encrypted(library)
    if encrypted != (decrypt or change_key):
        state = "encrypted already" if encrypted else "not encrypted"
        mend = "Pass --change-key or --decrypt." if encrypted else f"To encrypt it: {command('encrypt', library)}"
        raise SettingsError(f"{library} is {state}.", mend)
    _ = opened.revision  # whether it opens at all, before a key is asked for
    key = None if decrypt else opt.new_key(library, change=change_key, file=new_key_file)
    left = opened.encrypt(key)
    if keyring or (encrypted and opt.in_keyring(library) is not None):  # an old key there would only be in the way
        opt.remember(library, key)
    lines = [f"{library} is {'not encrypted any more' if decrypt else 'encrypted'}."]
    if not decrypt:
        lines.append(
            "The plain files in it were overwritten and deleted where that could be done. The database's log was"
            " only cut off; SSDs, snapshots and backups may hold all of it still."
        )
        lines += [
            f"Not encrypted, since it was written elsewhere: {one.path} ({one.kind})" for one in left if one.there
        ]
        lines += [f"Not encrypted, a copy that unmingle didn't make: {path}" for path in stray_copies(library)]
    console.tell(
        {"library": str(library), "encrypted": not decrypt, "outputs": [asdict(one) for one in left]},
        *lines,
        as_json=as_json,
    )


def erase(
    library: opt.LibraryArgument,
    people: Annotated[list[str] | None, Argument(metavar="[PERSON]...", help="Ids or names, as in people.csv.")] = None,
    faces: Annotated[list[str] | None, Option("--face", metavar="FILE", help=f"{FACES} May be repeated.")] = None,
    sources: Annotated[
        list[Path] | None,
        Option(
            "--source",
            "--file",
            metavar="SOURCE",
            help="All faces in a folder that was given to cluster, one in it, or a file; may be repeated.",
        ),
    ] = None,
    older_than: Annotated[
        str | None,
        Option(
            metavar="AGE",
            help="All faces of files that were last changed so long ago, such as 365d, or before a day, such as"
            " 2024-05-31, and of files that are gone.",
        ),
    ] = None,
    left_out: Annotated[
        bool, Option("--left-out", help="All faces that are nobody's, and those of people who are ignored.")
    ] = False,
    dry_run: Annotated[bool, Option("--dry-run", help="Only say what would be erased.")] = False,
    yes: Annotated[bool, Option("--yes", "-y", help="Don't ask whether that is meant.")] = False,
    as_json: opt.Json = False,
) -> None:
    """Erase people or faces for good.

    Embeddings, pictures, names, and what the log says: it can't be undone. No byte of them stays in LIBRARY's files,
    and the same pictures don't bring them back (unless cluster is given --include-erased). Pages such as reports are
    deleted, whoever else is on them. Pictures themselves are not touched. What was exported before is listed, since it
    can't be called back.
    """
    opened, age = opt.open_library(library), None if older_than is None else _age(older_than)

    def run(*, dry_run: bool) -> Erasure:
        chosen = {"faces": faces or (), "sources": sources or (), "older_than": age, "left_out": left_out}
        return opened.erase(*(people or ()), **chosen, dry_run=dry_run)  # type: ignore[arg-type]

    if not (dry_run or yes):
        would = run(dry_run=True)
        if not console.is_asked():
            raise DecisionError(f"{_what(would)} would be erased for good.", "Pass --yes if that is meant.")
        typer.confirm(f"Erase {_what(would)} for good?", abort=True, err=True)
    with keeping("What was erased stays so; the next command that opens the library cleans its files."):
        done = run(dry_run=dry_run)
    console.tell(asdict(done), *_lines(done, dry_run=dry_run), as_json=as_json)


def _what(done: Erasure) -> str:
    return f"{counted(len(done.people), 'person', 'people')} and {counted(done.faces, 'face')}"


def _lines(done: Erasure, *, dry_run: bool) -> list[str]:
    would = "Would be erased" if dry_run else "Erased"
    lines = [f"{would}: {_what(done)}, and what {counted(done.entries, 'entry', 'entries')} of the log said."]
    if done.faces:
        lines.append("The same pictures don't bring them back; copies that were turned, scaled or saved anew would.")
    for words, paths in (
        ("Pages that would be deleted" if dry_run else "Pages deleted, to be made again", done.pages),
        ("Still there, for you to delete: pages that were changed since or are held, and copies", done.left),
        ("Exports that left before, and may hold them", [f"{one.path} ({one.kind})" for one in done.exports]),
    ):
        if paths:
            more = f", and {len(paths) - SHOWN:,} more" if len(paths) > SHOWN else ""
            lines.append(f"{words}: {', '.join(paths[:SHOWN])}{more}")
    return lines


def _age(text: str) -> datetime | timedelta:
    """A number of days, or a day."""
    try:
        return timedelta(days=float(text[:-1])) if text.endswith("d") else datetime.fromisoformat(text)
    except (ValueError, OverflowError) as error:
        raise SettingsError(f"{text!r} is no age.", "Write it like 365d, or 2024-05-31.") from error


def forget(
    library: opt.LibraryArgument,
    source: Annotated[
        Path, Argument(metavar="SOURCE", help="A folder that was given to cluster, one in it, or a file.")
    ],
    as_json: opt.Json = False,
) -> None:
    """Drop a source, with the people who are in no other picture.

    Its files leave the tables. Nothing is deleted on the disk. What was decided stays, and comes back when the source
    is given to cluster again.
    """
    from unmingle.sources.images import readable

    opened = opt.open_library(library)
    gone = opened.forget(source)
    what = [counted(gone.files, "file"), counted(gone.faces, "face"), counted(gone.people, "person", "people")]
    lines = [f"Forgotten: {', '.join(what)}.", f"To have them back: {command('cluster', source, '-o', library)}"]
    around = next((readable(str(one)) for one in opened.sources if one in source.absolute().parents), None)
    if around is not None:
        lines.append(f"The next unmingle cluster of {around} finds them again if they are still in it.")
    console.tell(asdict(gone), *lines, as_json=as_json)


def relocate(
    library: opt.LibraryArgument,
    old: Annotated[Path, Argument(metavar="OLD", help="Where the pictures were.")],
    new: Annotated[Path, Argument(metavar="NEW", help="Where they are.")],
    as_json: opt.Json = False,
) -> None:
    """Say that a source, or a folder in one, is elsewhere now.

    Nothing is read again.
    """
    count = opt.open_library(library).relocate(old, new)
    console.tell({"files": count}, f"{counted(count, 'file is', 'files are')} in {new} now.", as_json=as_json)


def privacy(library: opt.LibraryArgument, as_json: opt.Json = False) -> None:
    """Say what is stored of whom, who may read it, and what left.

    As text that can go into a record of processing. Exports are known since this version notes them.
    """
    told = opt.open_library(library).privacy
    console.tell(asdict(told), *told.lines(), as_json=as_json)

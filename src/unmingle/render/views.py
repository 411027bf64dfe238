"""People to tables and sheets: what a library shows beside its file of truth, made again after each change."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from html import escape
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from PIL.Image import Image

from unmingle.decisions.log import last_id
from unmingle.decisions.references import label
from unmingle.exchange.table_files import library_tables, patch_csv, write_csv
from unmingle.files import check_inside, stamp, write_atomically
from unmingle.progress import Progress, silent
from unmingle.render.drawing import MOST, STRIP, as_jpeg, as_png, contact_sheet, overview, timeline
from unmingle.sources.names import distinct
from unmingle.store import result_tables
from unmingle.store.facts import SHEETS, WEBVTT
from unmingle.store.screen_time import ScreenTime, screen_times
from unmingle.store.sqlite import TABLES, Store
from unmingle.text_layout import counted
from unmingle.version import __version__

COMMENT_WITHIN = 512  # bytes, from the beginning of a JPEG: as Pillow writes it

if TYPE_CHECKING:
    import polars as pl


def write_views(
    store: Store, *, redraw: Iterable[int] | None = None, faces: pl.DataFrame | None = None, progress: Progress = silent
) -> str:
    """Make the tables, the contact sheets in `sheets/`, and `timelines/` of recordings again.

    So many people as `facts.SHEETS` says, the largest, get a sheet; of these, those to redraw are out of date, or all.
    Where some are, `faces.csv` is mended if it was current at an earlier decision. faces: the table of faces, if known.

    Returns:
        What the fact `TABLES` is to say from now on.
    """
    csv, stale, before = store.folder / "faces.csv", None, ""
    if redraw is not None:
        before, since = _patched(store, csv)
        if before:  # else nobody knows who else has changed since the sheets were drawn
            stale = {*redraw, *since}
    if faces is None and not before:
        faces = result_tables.faces_table(store)
    if faces is not None:
        write_csv(faces.select(list(result_tables.FACES)), csv)
    recordings = screen_times(store)
    tables = library_tables(result_tables.library_people(store), recordings)
    for name in ("people", "recordings", "intervals"):
        if name in tables:
            write_csv(tables[name], store.folder / f"{name}.csv")
        else:
            (store.folder / f"{name}.csv").unlink(missing_ok=True)
    for views in ("sheets", "timelines"):  # of a library of somebody else, they may lead anywhere
        check_inside(store.folder, store.folder / views / "any")
    total = tables["people"].height
    sheets = tables["people"].select("person", "name", "faces").head(int(store.fact(SHEETS) or 0)).rows()
    _write_sheets(store, sheets, total, stale, progress, same=before == str(total))
    names = tables["people"].select("person", "name").rows() if recordings else ()
    _write_timelines(store, recordings, {person: label(person, name) for person, name in names})
    return f"{last_id(store.connection)} {total} {_signature(csv)}"


def _signature(file: Path) -> str:
    """By which a file is known to be as it was written."""
    size, modified = stamp(file)
    return "" if size < 0 else f"{size} {modified}"


def _patched(store: Store, csv: Path) -> tuple[str, set[int]]:
    """Bring `faces.csv` in line by decisions alone: how many people it had, empty if it can't be, and who changed."""
    entry, people, signature = [*(store.fact(TABLES) or "").split(" ", 2), "", "", ""][:3]
    if not signature or signature != _signature(csv):
        return "", set()
    since = result_tables.decided_since(store, int(entry))
    if since is None or not patch_csv(result_tables.faces_table(store, since[0]), csv):
        return "", set()
    return people, since[1]


def _write_timelines(store: Store, recordings: Sequence[ScreenTime], titles: dict[int, str]) -> None:
    faces = result_tables.qualities(store, {one.person for recording in recordings for one in recording.intervals})
    folder, wanted = store.folder / "timelines", set()
    names_of_files = distinct(str(PurePosixPath(one.file).with_suffix("")).replace("/", "-") for one in recordings)
    for recording, name in zip(recordings, names_of_files, strict=True):
        spans: defaultdict[int, list[tuple[float, float]]] = defaultdict(list)
        for one in recording.intervals:
            spans[one.person].append((one.start, one.end))
        # Who is there longest comes first.
        order = sorted(spans, key=lambda person: (-sum(end - start for start, end in spans[person]), person))
        best = {person: max(faces[person], key=faces[person].__getitem__) for person in order}
        rows = [
            (titles[person], result_tables.thumbnail_of(store, best[person]) or b"", spans[person]) for person in order
        ]
        drawn = timeline(rows, recording.duration, title=recording.file)
        write_atomically(folder / f"{name}.png", as_png(drawn))
        wanted.add(f"{name}.png")
        if store.fact(WEBVTT):
            write_atomically(folder / f"{name}.vtt", _captions(recording, titles).encode())
            wanted.add(f"{name}.vtt")
    _drop_others([*folder.glob("*.png"), *folder.glob("*.vtt")], wanted)


def _captions(recording: ScreenTime, titles: dict[int, str]) -> str:
    """WebVTT (W3C, 2019): a cue for each time on screen, given start and end in seconds, and who."""
    cues = ["WEBVTT\n"]
    for one in recording.intervals:
        # A cue is one line, without what would be read as a tag or an arrow.
        text = escape(" ".join(titles[one.person].split()), quote=False)
        cues.append(f"{_stamp(one.start)} --> {_stamp(one.end)}\n{text}\n")
    return "\n".join(cues)


def _stamp(seconds: float) -> str:
    minutes, rest = divmod(round(seconds * 1000), 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02}.{rest % 1000:03}"


def _drop_others(files: Iterable[Path], wanted: Collection[str]) -> None:
    for file in files:
        if file.name not in wanted:
            file.unlink(missing_ok=True)


def _write_sheets(
    store: Store,
    people: Sequence[tuple[int, str, int]],
    total: int,
    stale: set[int] | None,
    progress: Progress,
    *,
    same: bool,
) -> None:
    """same: there are as many people as before, and nobody has changed who isn't in `stale`."""
    folder, cards = store.folder / "sheets", []
    files = {person: folder / sheet_name(person) for person in (*(stale or ()), *(person for person, *_ in people))}
    wanted = {person for person, *_ in people if stale is None or person in stale or not files[person].exists()}
    page = folder / "overview.jpg"
    if same and page.exists() and not wanted and not any(files[person].exists() for person in stale or ()):
        return  # who is on the overview has a sheet
    for done, (person, name, count) in enumerate(people, 1):
        if person in wanted:
            _draw(files[person], contact_sheet, sheet_content(store, person, name, count))
        strip, _ = result_tables.spread_faces(store, person, STRIP)
        cards.append((label(person, name), counted(count, "face"), jpegs_of(store, strip, STRIP)))
        progress("write", done, len(people))
    note = f"largest first; the largest {len(cards)} are shown" if total > len(cards) else "largest first"
    title = counted(total, "person", "people")
    _draw(page, overview, {"people": cards, "title": title, "note": note})
    _drop_others(folder.glob("person-*.jpg"), {sheet_name(person) for person, *_ in people})


def _draw(file: Path, draw: Callable[..., Image], content: dict[str, Any]) -> None:
    """Write a page, unless it is there with the same on it, which a comment in the file tells."""
    mark = hashlib.sha256(repr((__version__, content)).encode()).hexdigest().encode()
    if file.is_file():
        with suppress(OSError), file.open("rb") as there:
            if mark in there.read(COMMENT_WITHIN):
                return
    write_atomically(file, as_jpeg(draw(**content), mark))


def sheet_content(store: Store, person: int, name: str, count: int) -> dict[str, Any]:
    """What `contact_sheet` shows of one person: up to a hundred faces, spread over all of them."""
    faces, different = result_tables.spread_faces(store, person, MOST)
    parts = [counted(count, "face")]
    if different < count:
        parts.append(f"{different:,} of them different pictures")
    if len(faces) < different:
        parts.append(f"{len(faces)} shown, spread over all of them")
    return {"faces": jpegs_of(store, faces, MOST), "title": label(person, name), "note": ", ".join(parts)}


def sheet_name(person: int) -> str:
    """The file name of a person's contact sheet."""
    return f"person-{person:04}.jpg"


def jpegs_of(store: Store, faces: Sequence[int], most: int) -> tuple[bytes, ...]:
    """The stored pictures of at most so many faces, spread over all of them."""
    found = (result_tables.thumbnail_of(store, faces[i]) for i in result_tables.spread(len(faces), most))
    return tuple(jpeg for jpeg in found if jpeg)

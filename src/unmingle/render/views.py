"""People to tables and sheets: what a library shows beside its file of truth, made again after each change."""

from __future__ import annotations

from collections import defaultdict
from html import escape
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from unmingle.decisions.references import label
from unmingle.exchange.table_files import library_tables, write_csv
from unmingle.files import check_inside, write_atomically
from unmingle.progress import Progress, silent
from unmingle.render.drawing import MOST, STRIP, as_jpeg, as_png, contact_sheet, overview, timeline
from unmingle.render.figures import spread
from unmingle.sources.names import distinct
from unmingle.store.facts import SHEETS
from unmingle.store.result_tables import Tile, faces_table, thumbnail_of, tiles
from unmingle.store.screen_time import ScreenTime, screen_times
from unmingle.text_layout import counted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    import polars as pl
    from PIL.Image import Image

    from unmingle.store.sqlite import Store

WEBVTT = "webvtt"  # the fact that says that recordings get captions, "1"; else empty


def write_views(
    store: Store,
    recipe: str,
    *,
    redraw: Iterable[int] | None = None,
    progress: Progress = silent,
) -> pl.DataFrame:
    """Make the tables, the contact sheets in `sheets/`, and `timelines/` of recordings again; the table of faces.

    So many people as `facts.SHEETS` says, the largest, get a sheet; of these, those to redraw are out of date, or all.
    """
    sheets = int(store.fact(SHEETS) or 0)
    faces, recordings = faces_table(store, recipe), screen_times(store, recipe)
    tables = library_tables(store, faces, recordings)
    for name in ("faces", "people", "recordings", "intervals"):
        if name in tables:
            write_csv(tables[name], store.folder / f"{name}.csv")
        else:
            (store.folder / f"{name}.csv").unlink(missing_ok=True)
    for views in ("sheets", "timelines"):  # of a library of somebody else, they may lead anywhere
        check_inside(store.folder, store.folder / views / "any")
    people = tables["people"].select("person", "name", "faces").rows()
    shown = tiles(store, recipe)
    _write_sheets(store, people[:sheets], shown, len(people), None if redraw is None else set(redraw), progress)
    _write_timelines(store, recordings, {person: label(person, name) for person, name, _ in people}, shown)
    return faces


def _write_timelines(
    store: Store, recordings: Sequence[ScreenTime], titles: dict[int, str], faces: dict[int, list[Tile]]
) -> None:
    folder, wanted = store.folder / "timelines", set()
    names_of_files = distinct(str(PurePosixPath(one.file).with_suffix("")).replace("/", "-") for one in recordings)
    for recording, name in zip(recordings, names_of_files, strict=True):
        spans: defaultdict[int, list[tuple[float, float]]] = defaultdict(list)
        for one in recording.intervals:
            spans[one.person].append((one.start, one.end))
        # Who is there longest comes first.
        order = sorted(spans, key=lambda person: (-sum(end - start for start, end in spans[person]), person))
        best = {person: max(faces[person], key=lambda tile: tile.quality).face for person in order}
        rows = [(titles[person], thumbnail_of(store, best[person]) or b"", spans[person]) for person in order]
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
    faces: dict[int, list[Tile]],
    total: int,
    stale: set[int] | None,
    progress: Progress,
) -> None:
    folder, cards = store.folder / "sheets", []
    for done, (person, name, count) in enumerate(people, 1):
        file = folder / sheet_name(person)
        if stale is None or person in stale or not file.exists():
            write_atomically(file, as_jpeg(person_sheet(store, faces[person], person, name, count)))
        cards.append(
            (label(person, name), counted(count, "face"), jpegs_of(store, [tile.face for tile in faces[person]], STRIP))
        )
        progress("write", done, len(people))
    note = f"largest first; the largest {len(cards)} are shown" if total > len(cards) else "largest first"
    title = counted(total, "person", "people")
    write_atomically(folder / "overview.jpg", as_jpeg(overview(cards, title=title, note=note)))
    _drop_others(folder.glob("person-*.jpg"), {sheet_name(person) for person, *_ in people})


def person_sheet(store: Store, faces: Sequence[Tile], person: int, name: str, count: int) -> Image:
    """The contact sheet of one person: up to a hundred faces, spread over all of them."""
    shown = min(len(faces), MOST)
    parts = [counted(count, "face")]
    if len(faces) < count:
        parts.append(f"{len(faces):,} of them different pictures")
    if shown < len(faces):
        parts.append(f"{shown} shown, spread over all of them")
    jpegs = jpegs_of(store, [tile.face for tile in faces], MOST)
    return contact_sheet(jpegs, title=label(person, name), note=", ".join(parts))


def sheet_name(person: int) -> str:
    """The file name of a person's contact sheet."""
    return f"person-{person:04}.jpg"


def jpegs_of(store: Store, faces: Sequence[int], most: int) -> tuple[bytes, ...]:
    """The stored pictures of at most so many faces, spread over all of them."""
    found = (thumbnail_of(store, faces[i]) for i in spread(len(faces), most))
    return tuple(jpeg for jpeg in found if jpeg)

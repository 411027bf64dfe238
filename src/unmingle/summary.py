"""What a run did: in numbers, as lines for the terminal, and for a notebook."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from unmingle import html
from unmingle.records import Added
from unmingle.sources.formats import NOT_DOWNLOADED
from unmingle.sources.images import MOVING_PARTS, is_ending, readable
from unmingle.text_layout import counted

if TYPE_CHECKING:
    import polars as pl

REASONS = 12  # shown in a notebook, the most frequent
ENDINGS = 8  # of files passed over that are told one by one


@dataclass(frozen=True, slots=True)
class Summary:
    """What a library holds after clustering."""

    files: int  # picture files, each with at least one row in `faces.csv`
    faces: int  # faces found in them
    people: int  # how many people they are
    clustered: int  # faces that belong to a person
    left_out: tuple[tuple[str, str, int], ...]  # status and reason with their number of rows, most frequent first
    seconds: dict[str, float]  # time per stage
    notes: dict[str, float]  # what the clustering found out about the collection
    shared_names: tuple[str, ...] = ()  # that several people have, since one was away meanwhile, or by an undo

    @classmethod
    def of(cls, faces: pl.DataFrame, seconds: dict[str, float], notes: dict[str, float]) -> Summary:
        """The summary of a library's faces, in the columns of `faces.csv`."""
        import polars as pl

        left_out = (
            faces.filter(pl.col("person").is_null())
            .with_columns(pl.col("reason").str.replace(r":.*", ""))
            .group_by("status", "reason")
            .len()
            .sort(["len", "status", "reason"], descending=[True, False, False])
        )
        owners = faces.filter(pl.col("name") != "").group_by("name").agg(pl.col("person").n_unique())
        return cls(
            shared_names=tuple(owners.filter(pl.col("person") > 1)["name"].sort()),
            files=faces.select("source", "file").n_unique(),
            faces=int(faces["face"].is_not_null().sum()),
            people=faces["person"].drop_nulls().n_unique(),
            clustered=int(faces["person"].is_not_null().sum()),
            left_out=tuple((str(status), str(reason), int(count)) for status, reason, count in left_out.iter_rows()),
            seconds={stage: round(value, 3) for stage, value in seconds.items()},
            notes={key: round(value, 6) for key, value in notes.items()},
        )

    def _repr_html_(self) -> str:
        title = counted(self.people, "person", "people")
        note = f"{counted(self.faces, 'face')} in {counted(self.files, 'file')}, {self.clustered:,} of them a person's"
        parts = [html.heading(title, note)]
        if self.left_out:
            shown = [(status, reason, f"{count:,}") for status, reason, count in self.left_out[:REASONS]]
            parts.append(html.table(shown, ("left out as", "reason", "faces or files")))
        if self.seconds:
            parts.append(html.remark(_spent(self)))
        return html.block(*parts)


def as_json(summary: Summary) -> str:
    """The summary as one JSON object."""
    return json.dumps(asdict(summary), ensure_ascii=False, indent=2)


def summary_lines(added: Added, summary: Summary) -> list[str]:
    """The summary after clustering, as lines of text."""
    people = counted(summary.people, "person", "people")
    parts = [
        f"{added.analysed:,} analysed now" if added.analysed else "nothing new to embed",
        f"{added.known:,} known from before" if added.known else "",
        f"{added.moved:,} found again under another name or in another folder" if added.moved else "",
        f"{added.changed:,} changed but showing the same picture" if added.changed else "",
        f"{counted(added.copies, 'copy', 'copies')} of another" if added.copies else "",
        f"{added.unreadable:,} unreadable" if added.unreadable else "",
    ]
    lines = [
        f"{counted(summary.files, 'file')} ({', '.join(filter(None, parts))})",
        f"{counted(summary.faces, 'face')}, {summary.clustered:,} of them in {people}",
    ]
    lines += _added_lines(added)
    if "grouped_again" in summary.notes:
        new, again = (counted(int(summary.notes[key]), "face") for key in ("new", "grouped_again"))
        lines.append(f"{new} new: {again} near them grouped again, the others stay as they were (--regroup: all)")
    if decided := int(summary.notes.get("decided_people", 0)):
        apart = counted(decided, "person", "people")
        lines.append(f"Made no fewer than the {apart} of whom something was decided, since they are not one")
    if crowded := int(summary.notes.get("crowded", 0)):
        faces = counted(crowded, "face is", "faces are")
        lines.append(f"{faces} of people who all look alike, as small children do: where unsure, they were kept apart")
    if "named_files" in summary.notes:
        lines.append(_names_line({key: int(value) for key, value in summary.notes.items() if key.startswith("named_")}))
    for name in summary.shared_names:
        lines.append(f"Several people are called {name}: merge them if they are one, or rename those that are not")
    if summary.left_out:
        lines.append("Left out:")
        lines.extend(f"  {count:>7,}  {status}: {reason}" for status, reason, count in summary.left_out)
    return [*lines, _spent(summary)]


def _spent(summary: Summary) -> str:
    return f"Time: {', '.join(f'{stage} {seconds:.1f} s' for stage, seconds in summary.seconds.items())}"


def endings(others: Sequence[tuple[str, int]], what: str = "endings") -> str:
    """How many files of which endings, or folders of which names, were passed over."""
    most = ENDINGS if len(others) > ENDINGS + 1 else len(others)
    shown = [f"{count:,} {ending or 'without an ending'}" for ending, count in others[:most]]
    rest = sum(count for _, count in others[most:])
    return ", ".join([*shown, *([f"{rest:,} of {len(others) - most:,} more {what}"] if rest else [])])


def _added_lines(added: Added) -> Iterator[str]:
    along = [f"  {files:>7,}  {source}" for source, files in added.along]
    yield from ["Taken along as they were in earlier runs:", *along] if along else ()
    for folder in map(readable, added.out_of_reach):
        yield f"{folder} is not there now, or empty: its files are kept. See unmingle relocate and unmingle forget"
    for folder in map(readable, added.made):
        yield f"{folder} was written by unmingle export and passed over"
    if len(added.precisions) > 1:
        mixed = " and ".join(f"{count:,} in {precision}" for precision, count in added.precisions)
        yield f"Faces were computed in different precisions, of pictures: {mixed} (--precision f32 computes all alike)"
    others = [one for one in added.others if is_ending(one[0])]
    for number, one, many in (
        (
            added.carried,
            "picture was saved again, turned or cut: its faces go on as they were",
            "pictures were saved again, turned or cut: their faces go on as they were",
        ),
        (
            added.lost,
            "face that was decided about is no longer in its changed picture",
            "faces that were decided about are no longer in their changed pictures",
        ),
        (
            added.gone,
            "file of earlier runs is no longer there and was left out",
            "files of earlier runs are no longer there and were left out",
        ),
    ):
        if number:
            yield counted(number, one, many)
    if added.passed_over:
        files = counted(added.passed_over, "other file")
        yield f"{files} passed over, no pictures or recordings that are read: {endings(others)}"
    if added.lone_raws:
        raws = "of these is a raw picture that is", "of these are raw pictures that are"
        yield f"{counted(added.lone_raws, *raws)} there in no other format: save as JPEG to find who is in them"
    if clips := dict(added.others).get(MOVING_PARTS):
        yield f"{counted(clips, 'clip')} passed over, the moving parts of pictures beside them, as of Live Photos"
    if absent := dict(others).get(NOT_DOWNLOADED):
        yield f"{counted(absent, 'file is', 'files are')} in iCloud only: download what is wanted, and run this again"
    if kept := [(name[:-1], count) for name, count in added.others if name.endswith("/")]:
        folders = "Folders passed over that a system or program keeps for itself, or that are hidden"
        yield f"{folders}: {endings(kept, 'names')}"
    if added.unwatched:
        yield "Not looked at, of recordings:"
        yield from (f"  {count:>7,}  {note} ({first})" for note, count, first in added.unwatched)


def _names_line(notes: dict[str, int]) -> str:
    """What file names were taken to say, and how to overrule it."""
    files, believed, frames = notes["named_files"], notes["named_believed"], notes["named_frames"]
    named = counted(files, "file is", "files are")
    if not believed:
        return (
            f"{named} named like faces of frames, but the faces don't bear it out: nothing was read from names"
            " (--name-pattern REGEX overrules)"
        )
    read = f"Names of {counted(believed, 'file')} were read as {counted(frames, 'frame')}"
    but = "" if believed == files else f", those of {files - believed:,} not, since the faces don't bear it out"
    return f"{read}{but} (--no-name-pattern overrules)"

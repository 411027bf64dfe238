"""The commands that hand results to other programs, and take names from them."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from typer import Argument, Option

from unmingle import console
from unmingle.cli import keeping, on_ray
from unmingle.cli import options as opt
from unmingle.errors import command
from unmingle.text_layout import counted, listed

if TYPE_CHECKING:
    from unmingle.exchange.exporting import Exported
    from unmingle.exchange.importing import Imported

MOST_REASONS = 5  # or kinds, with how often they are
SHOWN = 20  # lines of a kind on the terminal; --json has them all


def export(
    library: opt.LibraryArgument,
    output: Annotated[Path, opt.output("Folder to write to; made if new.", "DEST")],
    to: Annotated[
        Literal["folders", "csv", "xlsx", "parquet", "json", "xmp", "coco", "decisions"],
        Option(
            help="folders: the pictures of each person. csv, xlsx, parquet, json: the tables. xmp: named face regions"
            " for photo programs, in DEST/PICTURE.EXT.xmp. coco: boxes and people of all pictures, in DEST/coco.json."
            " decisions: of a library made by import -o, for the next unmingle cluster --ray to DEST."
        ),
    ],
    by: Annotated[
        Literal["name", "id"] | None, Option(help="folders: what they are called by; name if not given.")
    ] = None,
    how: Annotated[
        Literal["copy", "hardlink", "symlink"] | None,
        Option(help="folders: whether files are copied or linked; copy if not given. Recordings are linked only."),
    ] = None,
    faces: Annotated[
        Literal["named", "all"] | None,
        Option(help="xmp, coco: whose faces are in it; named if not given. all: also those without a name."),
    ] = None,
    embed: Annotated[
        bool, Option("--embed", help="xmp: write regions into copies of the pictures in DEST; needs ExifTool.")
    ] = False,
    labels: Annotated[
        Path | None,
        Option(help="xlsx: a workbook or csv of labels, into a copy of which the found people are filled in."),
    ] = None,
    file_column: opt.FileColumn = None,
    label_column: opt.LabelColumn = None,
    sheet: opt.Sheet = None,
    dry_run: Annotated[bool, Option("--dry-run", help="Only say what would be written.")] = False,
    quiet: opt.Quiet = False,
    as_json: opt.Json = False,
) -> None:
    """Write folders of pictures, tables, or face regions in XMP.

    Nothing in DEST is ever overwritten, and originals are never changed. Stopped, the same command goes on.
    """
    from unmingle.exchange.exporting import ExportOptions

    counts_for: dict[tuple[str, ...], dict[str, object]] = {
        ("folders",): {"--by": by, "--how": how},
        ("xmp",): {"--embed": embed},
        ("xmp", "coco"): {"--faces": faces},
        ("xlsx",): {"--labels": labels, "--file-column": file_column, "--label-column": label_column, "--sheet": sheet},
    }
    for targets, given in counts_for.items():
        for option, value in given.items():
            if value and to not in targets:
                raise typer.BadParameter(f"{option} counts for --to {' and '.join(targets)} only, not for --to {to}.")
    if to == "decisions":
        on_ray.hand_back(opt.open_library(library), output, quiet=quiet, as_json=as_json)
        return
    options = ExportOptions(
        by=by or "name",
        how=how or "copy",
        faces=faces or "named",
        embed=embed,
        labels=labels,
        label_options=opt.label_options(labels, file_column, label_column, sheet),
    )
    kept = f"What was written to {output} is kept; the same command goes on from there."
    with keeping(kept, once=output), console.progress(quiet=quiet) as progress:
        done = opt.open_library(library).export(to, output, options, dry_run=dry_run, progress=progress)
    if not (quiet or dry_run):
        opt.warn_of_others(output)
    lines = _export_lines(done, dry_run=dry_run)
    if to in ("xmp", "coco") and not (done.written or done.there or done.left_out):
        name = command("name", library, "PERSON", "NAME")
        lines.append(f"Nobody on a picture has a name yet: {name}, or pass --faces all.")
    console.tell(asdict(done), *lines, as_json=as_json, quiet=quiet)
    if done.in_the_way:
        names = ", ".join(done.in_the_way[:3]) + (", …" if len(done.in_the_way) > 3 else "")
        are = counted(len(done.in_the_way), "file of other content is", "files of other content are")
        console.say(f"Error: {are} in the way: {names}.", error=True)
        console.say("What is there was left as it is. Choose another folder, or take it away.", error=True)
        raise typer.Exit(1)


def import_(
    library: opt.LibraryArgument,
    sources: Annotated[
        list[Path] | None,
        Argument(
            metavar="[SOURCE]...",
            help="XMP files, pictures with XMP in them, folders of both, exports of our own, or tables (csv, workbook,"
            " Parquet, JSON) with the columns file and name, and face for another than the main one; JSON of Google's"
            " Takeout, of osxphotos and COCO; digiKam's database, Picasa's .picasa.ini and contacts.xml.",
        ),
    ] = None,
    conflicts: Annotated[
        Literal["keep", "take"],
        Option(help="Of a face that has another name in LIBRARY: keep that one, or take the imported one."),
    ] = "keep",
    output: Annotated[
        Path | None,
        opt.output(
            "Make a library of people that unmingle cluster --ray found; LIBRARY is the folder that it wrote.", "NEW"
        ),
    ] = None,
    people: Annotated[str | None, Option(metavar="1-500", help="With -o: their numbers, as in people.parquet.")] = None,
    names: Annotated[
        str | None, Option(metavar="NAME,NAME", help="With -o: their names; in quotes where a comma is in one.")
    ] = None,
    files: Annotated[
        str | None, Option(metavar="PATTERN", help="With -o: all faces of such files, such as '*/2019/*'.")
    ] = None,
    quiet: opt.Quiet = False,
    as_json: opt.Json = False,
) -> None:
    """Take in names from other programs, or people from a Ray cluster.

    Names are decisions that can be undone. Regions are matched to the faces of LIBRARY by overlap. Every name that is
    not given is told, with the reason.
    """
    if output is not None:
        if sources:
            raise typer.BadParameter("A SOURCE counts for names only, not with -o.")
        new = opt.open_library(output)
        on_ray.take_people(library, new, people, names, files, quiet=quiet, as_json=as_json)
        return
    if people or names or files:
        raise typer.BadParameter("--people, --names and --files count with -o only.")
    if not sources:
        raise typer.BadParameter("Name what to take names from.")
    kept = "Names that were given are kept; the same command goes on from there."
    with keeping(kept), console.progress(quiet=quiet) as progress:
        done = opt.open_library(library).import_names(*sources, conflicts=conflicts, progress=progress)
    console.tell(asdict(done), *_import_lines(library, done), as_json=as_json, quiet=quiet)


def _export_lines(done: Exported, *, dry_run: bool) -> list[str]:
    would = "would be written" if dry_run else "written"
    parts = [f"{counted(done.written, 'file')} {would} to {done.destination}"]
    if done.there:
        parts.append(f"{counted(done.there, 'was', 'were')} there already")
    lines = [", ".join(parts)]
    if done.folders:
        lines.append(f"{counted(len(done.folders), 'person', 'people')}:")
        lines += listed([f"{files:>7,}  {folder}" for folder, files in done.folders], SHOWN)
    return lines + _reasons("Left out", list(done.left_out))


def _import_lines(library: Path, done: Imported) -> list[str]:
    lines = [
        f"{counted(done.faces, 'face')} named, {done.known:,} named so already; names in {counted(done.files, 'file')}"
    ]
    if done.nameless:
        lines.append(f"{done.nameless:,} without a name, passed over")
    if done.others:
        kinds = ", ".join(f"{kind} {count:,}" for kind, count in done.kinds[:MOST_REASONS])
        lines.append(f"{counted(done.others, 'region')} of something else than faces, passed over: {kinds}")
    left = [(": ".join(filter(None, (one.where, one.name))), one.why) for one in done.left]
    lines.extend(_reasons("Not taken", left))
    twice = [(f"{one.where}: {one.name}", one.why) for one in done.twice]
    lines.extend(_reasons("More than once in one picture, as twins, mirrors or mistakes are", twice))
    if done.decisions:
        first, last = done.decisions[0].id, done.decisions[-1].id
        which = f"Decision #{first}" if first == last else f"Decisions #{first} to #{last}"
        lines.append(f"{which}. To take the last back: {command('undo', library, str(last))}")
    return lines


def _reasons(heading: str, told: list[tuple[str, str]]) -> list[str]:
    """What was not done and why; of many also how often for which reason."""
    if not told:
        return []
    often = Counter(why for _, why in told).most_common(MOST_REASONS)
    summed = "; ".join(f"{count:,} {why}" for why, count in often) if len(told) > SHOWN else ""
    head = f"{heading}: {len(told):,}" + (f" ({summed})" if summed else "")
    return [head, *listed([f"{what}: {why}" for what, why in told], SHOWN)]

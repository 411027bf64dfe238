"""The commands that make a library of pictures, and show it: cluster, show, find, demo."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from typer import Argument, Option

from unmingle import console
from unmingle.cli import evaluating, keeping, models, on_ray
from unmingle.cli import options as opt
from unmingle.errors import SettingsError, command
from unmingle.files import is_there, real_path
from unmingle.sources.formats import LIBRARY_FILE
from unmingle.text_layout import counted

if TYPE_CHECKING:
    from unmingle.evaluation.labels import LabelOptions
    from unmingle.identification import Found
    from unmingle.library import Library

# The numbers of glibc's `mallopt`, and the bytes that it raises them to by itself where pieces of 32 MB come and go.
KEPT = {-1: 64 << 20, -3: 32 << 20}  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD


def cluster(
    context: typer.Context,
    output: Annotated[Path, opt.output("Folder of the library: made if new, gone on with if not.", "LIBRARY")],
    sources: Annotated[
        list[Path] | None,
        Argument(
            metavar="[SOURCE]...",
            help="Folders of pictures and recordings, such files, or text files that list paths; those that LIBRARY"
            " remembers if none is given.",
        ),
    ] = None,
    recipe: opt.Recipe = "faces",
    people: Annotated[
        int | None, Option(min=0, help="How many people there are, if you know; 0 to find it, as if not given.")
    ] = None,
    labels: Annotated[
        str | None, Option(help="Take the number of people, and nothing else, from a workbook, a csv, or folders.")
    ] = None,
    file_column: opt.FileColumn = None,
    label_column: opt.LabelColumn = None,
    sheet: opt.Sheet = None,
    crops: opt.Crops = "auto",
    features: Annotated[
        Literal["fc2", "pool5"],
        Option(help="classic: the layer of VGG16; pool5 needs only a convolution-only weight file."),
    ] = "fc2",
    weights: opt.Weights = None,
    any_weights: Annotated[
        bool,
        Option("--any-weights", help="classic: accept weights of the right layout that are not the official ones."),
    ] = False,
    precision: opt.Precision = "auto",
    engine: Annotated[
        Literal["auto", "openvino", "onnxruntime"], Option(help="What runs the networks; onnxruntime is an extra.")
    ] = "auto",
    threads: opt.Threads = 0,
    strictness: opt.Strictness = "balanced",
    co_occurrence: Annotated[
        bool,
        Option(
            "--co-occurrence/--no-co-occurrence",
            help="Whether two faces of one picture or frame are two people, unless they are too alike for that.",
        ),
    ] = True,
    name_pattern: Annotated[
        str | None,
        Option(
            metavar="REGEX",
            help="How a file name carries meeting, frame and index: a regular expression with these three named groups"
            " for the name without its ending. Faces of one frame were seen together. auto, as if not given: names"
            " like meeting_00000290_3 are read so where the faces bear it out.",
        ),
    ] = None,
    no_name_pattern: Annotated[
        bool, Option("--no-name-pattern", help="Read no meeting and no frame from file names.")
    ] = False,
    model: opt.Model = "sface",
    every: Annotated[
        str,
        Option(
            metavar="TIME", help="Time between the frames of a recording that are looked at, such as 0.1s or 500ms."
        ),
    ] = "0.1s",
    as_before: Annotated[
        bool, Option("--as-before", help="Take what no option says as LIBRARY was made: model, strictness and all.")
    ] = False,
    regroup: Annotated[
        bool, Option("--regroup", help="Group all faces again, also where only few came to a large LIBRARY.")
    ] = False,
    sheets: Annotated[int, Option(min=0, help="How many people, largest first, get a contact sheet.")] = 100,
    webvtt: Annotated[
        bool, Option("--webvtt/--no-webvtt", help="Write captions for each recording that say who is on screen.")
    ] = False,
    save_crops: Annotated[
        Path | None,
        Option(
            metavar="FOLDER", help="Cut every face of the recordings out into FOLDER, named meeting_frame_index.jpg."
        ),
    ] = None,
    include_erased: Annotated[
        bool, Option("--include-erased", help="Find faces in SOURCE again that unmingle erase took out.")
    ] = False,
    encrypt: Annotated[
        bool, Option("--encrypt", help="Make LIBRARY an encrypted one; see unmingle encrypt for one that is there.")
    ] = False,
    keyring: Annotated[bool, Option("--keyring", help="With --encrypt: keep the key in the system's keyring.")] = False,
    tables: Annotated[
        bool,
        Option("--tables", help="Write tables and sheets, now and later, though LIBRARY is encrypted: as plain files."),
    ] = False,
    ray: Annotated[
        str | None,
        Option(
            metavar="ADDRESS",
            help="Work on a Ray cluster, and write Parquet to LIBRARY instead of a library: local starts one here, auto"
            " and ray://… join one. SOURCE and LIBRARY may be addresses such as s3://….",
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        Option(
            "--dry-run",
            help="With --ray: only look at up to 1,000 of the pictures, and say how long all would take, and how much"
            " disk and memory.",
        ),
    ] = False,
    quiet: opt.Quiet = False,
    as_json: opt.Json = False,
) -> None:
    """Sort the faces of pictures and recordings into people.

    Killed or stopped, the same command goes on where it was. LIBRARY gets faces.csv, people.csv and sheets/.
    """
    from unmingle.settings import ClassicSettings, EngineSettings
    from unmingle.summary import summary_lines

    if ray is not None:
        on_ray.cluster(cluster, locals())
        return
    if dry_run:
        raise SettingsError("--dry-run looks at pictures on a Ray cluster only.", "Pass --ray local, too.")
    # What can be checked before an hour of work is not checked after it.
    library = opt.open_library(output)
    options = opt.label_options(labels, file_column, label_column, sheet)
    looking, grouping = opt.said_or_as_before(context, library, quiet=quiet)
    if keyring and not encrypt:
        raise typer.BadParameter("--keyring counts with --encrypt only.")
    if encrypt:
        opt.begin_encrypted(library, keep=keyring)
    known = _sources(library, sources)
    if save_crops is not None:
        from unmingle.exchange.exporting import check_outside

        check_outside(save_crops, [source for source in known if source.is_dir()])
    if labels is not None:
        people = _count_labels(labels, known, options, given=people)
    if recipe == "classic" and not people:
        raise SettingsError("The classic recipe can't find the number of people.", "Pass --people K or --labels FILE.")
    if not quiet:
        models.warn(looking["model"])
    _keep_memory()
    with _stored_in(library), console.progress(quiet=quiet) as progress:
        added = library.add(
            *(sources or ()),
            recipe=recipe,
            classic=ClassicSettings(features=features),
            weights=weights,
            any_weights=any_weights,
            engine=EngineSettings(engine=engine, precision=precision, threads=threads),
            include_erased=include_erased,
            progress=progress,
            **looking,
        )
        summary = library.cluster(people=people or None, regroup=regroup, tables=tables, progress=progress, **grouping)
        crops_saved = None if save_crops is None else library.save_crops(save_crops, progress=progress)
    if not quiet:
        opt.warn_of_others(output)
    lines = summary_lines(added, summary)
    if crops_saved is not None:
        lines.append(f"{counted(crops_saved, 'face')} of recordings cut out into {save_crops}")
    if (output / "faces.csv").exists():
        lines.append(f"See {output / 'sheets' / 'overview.jpg'}, {output / 'people.csv'} and {output / 'faces.csv'}")
        naming = "To name them" if summary.people else "To see what was left out"
        lines.append(f"{naming}: {command('review', output)}")
    else:
        lines.append(f"It is encrypted. To look at it: {command('review', output)}")
    console.tell(asdict(summary), *lines, as_json=as_json, quiet=quiet)


def _keep_memory() -> None:
    """Let the process keep what a picture took for the next one: asking anew takes a fifteenth of the time."""
    if sys.platform == "linux":
        with suppress(AttributeError):  # other C libraries have no such numbers
            for number, most in KEPT.items():
                ctypes.CDLL(None).mallopt(number, most)


@contextmanager
def _stored_in(library: Library) -> Iterator[None]:
    """Hold the library, and tell what it keeps if the block is stopped."""
    kept = f"What was found so far is kept in {library.folder}; the same command goes on from there."
    with keeping(kept, once=library.folder / LIBRARY_FILE), library.writing():
        yield


def _sources(library: Library, named: Sequence[Path] | None) -> Sequence[Path]:
    """Where the pictures are of whom people are made: as named, and as the library remembers."""
    there = (library.folder / LIBRARY_FILE).exists()
    if not named and not there:
        raise typer.BadParameter(f"Name the pictures: there is no library in {library.folder} to go on with.")
    real = list(map(real_path, named or ()))
    remembered = [source for source in (library.sources if there else ()) if is_there(source) or not named]
    return [*(named or ()), *(one for one in remembered if not any(map(real_path(one).is_relative_to, real)))]


def _count_labels(labels: str, sources: Sequence[Path], options: LabelOptions, *, given: int | None) -> int:
    from unmingle.evaluation.labels import folder_labels, read_labels
    from unmingle.sources.images import scan

    if given is not None:
        raise SettingsError("Both --people and --labels give the number of people.", "Leave one of them out.")
    if labels == "folders":
        files = scan(sources).files
        return folder_labels([file.name for file in files], sources=[file.source for file in files]).people
    read = read_labels(Path(labels), options)
    if read.unread:
        console.say(f"Sheets of labels not read, pass them with --sheet: {', '.join(read.unread)}", error=True)
    return read.people


def show(
    library: opt.LibraryArgument,
    person: opt.PersonArgument,
    output: Annotated[Path | None, opt.output("The picture to write; in LIBRARY/sheets if not given.")] = None,
    as_json: opt.Json = False,
) -> None:
    """Make a contact sheet of one person and print where it is."""
    from unmingle.files import write_atomically
    from unmingle.render.drawing import as_jpeg
    from unmingle.render.views import sheet_name

    opened = opt.open_library(library)
    sheet = opened.show(person)
    destination = opened._page(output, f"sheets/{sheet_name(sheet.person)}")
    write_atomically(destination, as_jpeg(sheet.page))
    opened._note_output("sheet", destination)
    console.tell({"person": sheet.person, "sheet": str(destination)}, str(destination), as_json=as_json)


def find(
    library: opt.LibraryArgument,
    pictures: Annotated[list[Path], Argument(metavar="PICTURE...", help="Pictures, folders, or lists of paths.")],
    as_json: opt.Json = False,
) -> None:
    """Say who is in pictures, without adding them."""
    from unmingle.identification import Identifier
    from unmingle.sources.images import readable, scan

    opened, paths = opt.open_library(library), [file.path for file in scan(pictures).files]
    name_of = {person: name for person, name, *_ in opened.people.iter_rows()}
    results = []
    with keeping("Nothing was written."), opened._reading() as store:
        for found in map(Identifier(store).find, paths):
            if not as_json:
                console.say(*(f"{readable(str(found.picture))}: {line}" for line in _found_lines(found, name_of)))
                continue
            called = {"picture": readable(str(found.picture))}
            faces = [{**asdict(face), **called, "name": name_of.get(face.person or 0, "")} for face in found.faces]
            results.append({**asdict(found), **called, "faces": faces})
    if as_json:
        console.say_json(results)
    elif not paths:
        console.say("There are no pictures.")


def _found_lines(found: Found, name_of: dict[int, str]) -> Iterator[str]:
    if found.problem:
        yield f"can't be read: {found.problem}"
    elif not found.faces and not found.left_out:
        yield "no face"
    for face in found.faces:
        called = (name_of.get(face.nearest or 0) or f"Person {face.nearest}") if face.nearest else "nobody"
        sure = f"{called}, {face.probability:.0%}"
        yield sure if face.person is not None else f"nobody of the library (most like {sure})"
    for reason in found.left_out:
        yield f"a face left out: {reason}"


def demo(
    output: Annotated[Path, opt.output("Folder to work in.")] = Path("unmingle-demo"),
    people: Annotated[int, Option(min=1, max=12, help="How many made-up people meet.")] = 12,
    frames: Annotated[int, Option(min=1, max=20, help="In how many frames.")] = 20,
) -> None:
    """Sort, score and show a made-up meeting."""
    from unmingle.demo import write_meeting
    from unmingle.render.views import sheet_name
    from unmingle.summary import summary_lines

    opt.refuse_encrypted(output / "library", "the demo")
    library = opt.open_library(output / "library")
    with console.progress(quiet=False) as progress:
        meeting = write_meeting(output / "meeting", people=people, frames=frames, progress=progress)
    with _stored_in(library), console.progress(quiet=False) as progress:
        added = library.add(meeting.faces, progress=progress)
        summary = library.cluster(progress=progress)
    console.say(*summary_lines(added, summary))
    evaluation = library.evaluate(meeting.labels)
    library.write_evaluation(evaluation, library.folder / "evaluation")
    evaluating.print_evaluation(evaluation)
    first = library.people["person"][0]
    sheets = library.folder / "sheets"
    console.say(
        "Made-up people prove that it works, not how well: the model that judges them also chose them.",
        "Look at:",
        f"  {sheets / 'overview.jpg'}   everyone",
        f"  {sheets / sheet_name(first)}   the largest person",
        f"  {library.folder / 'faces.csv'}   every file, with its person or the reason for none",
        f"  {library.folder / 'evaluation'}   the score",
        "The same, command by command:",
        f"  {command('cluster', meeting.faces, '-o', library.folder)}",
        f"  {command('evaluate', library.folder, '--labels', meeting.labels)}",
        f"  {command('show', library.folder, str(first))}",
        "All of it as one page, for others:",
        f"  {command('report', library.folder, '--labels', meeting.labels)}",
        "Say who they are, and correct what is wrong, in the browser:",
        f"  {command('review', library.folder)}",
    )

"""The commands with which a person says who is who: the page in the browser, and one command for each thing to say."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from unmingle import console
from unmingle.cli import keeping
from unmingle.cli.options import Json, LibraryArgument, PersonArgument, open_library, provide
from unmingle.errors import command
from unmingle.text_layout import counted

if TYPE_CHECKING:
    from unmingle.decisions.log import Decision

NEW = Path("unmingle-library")  # where a library is made that nobody gave a place
SHOWN = 50  # people and entries in a table
FACES = "Files whose main face is meant, as in faces.csv; FILE#2 is face 2 of a file."

OthersArgument = Annotated[list[str], Argument(metavar="OTHER...", help="Ids or names.")]
FacesArgument = Annotated[list[str], Argument(metavar="FILE...", help=FACES)]
PersonOption = Annotated[str | None, Option("--person", metavar="PERSON", help="Id or name of a person.")]
SomeFacesArgument = Annotated[list[str] | None, Argument(metavar="[FILE]...", help=FACES)]
DecisionArgument = Annotated[
    int | None,
    Argument(min=1, metavar="[DECISION]", help="Number of the decision, as in unmingle log; the last if not given."),
]


def review(
    library: Annotated[
        Path | None,
        Argument(
            metavar="[LIBRARY]",
            help="Folder of the library. Without one, a new one in this folder: its pictures are chosen in the page.",
        ),
    ] = None,
    host: Annotated[
        str,
        Option(
            help="Address to listen on. Any other than this machine's own shows the faces to everybody in the network"
            " who has the printed address, unencrypted."
        ),
    ] = "127.0.0.1",
    port: Annotated[int, Option(min=0, max=65535, help="Port to listen on; 0 for a free one.")] = 0,
    browser: Annotated[bool, Option("--browser/--no-browser", help="Whether to open the browser.")] = True,
) -> None:
    """Name and correct people in the browser.

    Ctrl+C ends it. Everything runs on this machine and works offline. What is decided is kept in LIBRARY at once.
    """
    from unmingle.review.serve import serve

    folder = library or NEW
    provide(folder, ask=False)  # the page asks
    with keeping("What was decided is kept; the same command opens the page again."):
        serve(folder, host=host, port=port, open_browser=browser, new=library is None)


def people(
    library: LibraryArgument,
    most: Annotated[
        int | None, Option(min=1, help="How many people, largest first; 50 if not given, with --json all.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the people of a library, largest first."""
    from unmingle.store.result_tables import PEOPLE, people_rows

    table = open_library(library)._read(people_rows)
    if as_json:
        console.say_json([dict(zip(PEOPLE, row, strict=True)) for row in table[:most]])
        return
    most = most or SHOWN
    rows = [
        (str(person), called, f"{faces:,}", file, "" if alike is None else f"{alike:.3f}")
        for person, called, faces, file, alike in table[:most]
    ]
    if not rows:
        console.say("There are no people yet.")
        return
    console.show_table(rows, headings=("person", "name", "faces", "first file", "cohesion"))
    if len(table) > most:
        console.say(f"{most} of {len(table):,} people; people.csv has them all.")


def status(library: LibraryArgument, as_json: Json = False) -> None:
    """Say what a library holds, and what comes next."""
    from unmingle.files import is_there
    from unmingle.sources.images import readable
    from unmingle.store.face_query import count_faces
    from unmingle.store.facts import check_begun, grouped
    from unmingle.store.file_rows import count_files
    from unmingle.store.people_query import people_by_size
    from unmingle.store.sightings import any_recording

    opened = open_library(library)
    with opened._reading() as store:
        check_begun(store)
        people, faces, files = people_by_size(store), count_faces(store), count_files(store)
        stopped, recordings = faces and not people and not grouped(store), any_recording(store)
    named, theirs = sum(bool(one.name) for one in people), sum(one.faces for one in people)
    sources = [{"source": readable(str(source)), "there": is_there(source)} for source in opened.sources]
    found = {"files": files, "faces": faces, "of_people": theirs, "people": len(people), "named": named}
    lines = [
        f"{counted(faces, 'face')} in {counted(files, 'file')}; {theirs:,} of them are of"
        f" {counted(len(people), 'person', 'people')}, {named:,} with a name"
        f"{' (of recordings, the faces count that stand for others)' if recordings else ''}",
        *(f"  {one['source']}{'' if one['there'] else ' (not there now)'}" for one in sources),
    ]
    if stopped:
        lines.append(f"A run was stopped before it had people of them. To go on: {command('cluster', '-o', library)}")
    elif not people:
        lines.append(f"To add pictures: {command('cluster', 'PICTURES', '-o', library)}")
    elif named < len(people):
        lines.append(f"To name them: {command('review', library)}")
    else:
        lines.append(f"To hand them on: {command('export', library, '-o', 'DEST', '--to', 'folders')}")
    console.tell({**found, "sources": sources}, *lines, as_json=as_json)


def name(
    library: LibraryArgument,
    person: PersonArgument,
    name: Annotated[str, Argument(metavar="NAME", help="The name; an empty one takes it away.")],
    as_json: Json = False,
) -> None:
    """Give a person a name.

    It stays with them however often the faces are grouped again.
    """
    _say(library, open_library(library).name(person, name), as_json=as_json)


def merge(library: LibraryArgument, person: PersonArgument, others: OthersArgument, as_json: Json = False) -> None:
    """Make OTHER a part of PERSON, who keeps id and name."""
    _say(library, open_library(library).merge(person, *others), as_json=as_json)


def split(library: LibraryArgument, faces: FacesArgument, as_json: Json = False) -> None:
    """Make a new person of some faces."""
    _say(library, open_library(library).split(faces), as_json=as_json)


def reject(library: LibraryArgument, person: PersonArgument, faces: FacesArgument, as_json: Json = False) -> None:
    """Say that faces are not PERSON."""
    _say(library, open_library(library).reject(faces, person), as_json=as_json)


def assign(library: LibraryArgument, person: PersonArgument, faces: FacesArgument, as_json: Json = False) -> None:
    """Say that faces are PERSON."""
    _say(library, open_library(library).assign(faces, person), as_json=as_json)


def not_a_face(library: LibraryArgument, faces: FacesArgument, as_json: Json = False) -> None:
    """Say that there is no face in FILE."""
    _say(library, open_library(library).not_a_face(faces), as_json=as_json)


def is_a_face(library: LibraryArgument, faces: FacesArgument, as_json: Json = False) -> None:
    """Say that there is a face, whatever the program says.

    The next unmingle cluster groups it.
    """
    _say(library, open_library(library).face(faces), as_json=as_json)


def ignore(
    library: LibraryArgument, faces: SomeFacesArgument = None, person: PersonOption = None, as_json: Json = False
) -> None:
    """Leave a person or some faces out of all results."""
    _say(library, open_library(library).ignore(person, faces=faces or ()), as_json=as_json)


def restore(
    library: LibraryArgument, faces: SomeFacesArgument = None, person: PersonOption = None, as_json: Json = False
) -> None:
    """Take back in who or what was ignored or said to be no face."""
    _say(library, open_library(library).restore(person, faces=faces or ()), as_json=as_json)


def different(library: LibraryArgument, person: PersonArgument, others: OthersArgument, as_json: Json = False) -> None:
    """Say that PERSON and OTHER are different people.

    It is never suggested again that they are one.
    """
    _say(library, open_library(library).different(person, *others), as_json=as_json)


def undo(library: LibraryArgument, decision: DecisionArgument = None, as_json: Json = False) -> None:
    """Undo a decision, any that stands."""
    _say(library, open_library(library).undo(decision), as_json=as_json)


def redo(library: LibraryArgument, decision: DecisionArgument = None, as_json: Json = False) -> None:
    """Redo a decision, any that was undone."""
    _say(library, open_library(library).redo(decision), as_json=as_json)


def log(
    library: LibraryArgument,
    most: Annotated[
        int | None, Option(min=1, help="How many entries, newest first; 50 if not given, with --json all.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what was decided, by whom and when, newest first."""
    decisions = open_library(library).decisions[::-1]
    if as_json:
        console.say_json([asdict(decision) for decision in decisions[:most]])
        return
    most = most or SHOWN
    rows = [
        (
            f"#{one.id}",
            f"{datetime.fromisoformat(one.made).astimezone():%Y-%m-%d %H:%M}",
            one.by,
            one.words,
            "" if one.live else "undone",
        )
        for one in decisions[:most]
    ]
    if not rows:
        console.say("Nothing was decided yet.")
        return
    console.show_table(rows, headings=("entry", "when", "by", "what", ""))
    if len(decisions) > most:
        console.say(f"The newest {most} of {len(decisions):,} entries.")


def _say(library: Path, decision: Decision, *, as_json: bool) -> None:
    back = "redo" if decision.kind == "undo" else "undo"
    line = f"#{decision.id} {decision.words}. To take it back: {command(back, library)}"
    console.tell(asdict(decision), line, as_json=as_json)

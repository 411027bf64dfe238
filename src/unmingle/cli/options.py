"""What several commands share: arguments and options, how a library is opened, and where the key of one comes from."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer import Argument, Context, Option
from typer.core import TyperCommand
from typer.main import get_command

from unmingle import console
from unmingle.errors import LibraryError, LibraryLockedError, SettingsError, command

if TYPE_CHECKING:
    from unmingle.evaluation.labels import LabelOptions
    from unmingle.library import Library

LibraryArgument = Annotated[Path, Argument(metavar="LIBRARY", help="Folder of the library.")]
PersonArgument = Annotated[
    str,
    Argument(
        metavar="PERSON", help="Id or name, as in people.csv. A plain number is an id; name:2 is who is called 2."
    ),
]
Json = Annotated[bool, Option("--json", help="Print the result as JSON on standard output.")]
Quiet = Annotated[bool, Option("--quiet", "-q", help="Show no progress and no summary.")]
Drop = Annotated[
    list[str] | None,
    Option(
        "--drop",
        metavar="COLUMN=VALUE",
        help="Leave such rows out of the score; may be repeated. Default: Mask=Y and ID=0 where such columns exist.",
    ),
]
TrueLabels = Annotated[
    str, Option(help="A workbook or csv with the true people, or the word folders: each folder is one person.")
]
FileColumn = Annotated[str | None, Option(help="Column with file names; found by its usual names if not given.")]
LabelColumn = Annotated[
    str | None,
    Option(help="Column with the true person; found by its usual names if not given, where only one can be meant."),
]
Sheet = Annotated[
    list[str] | None,
    Option(
        metavar="TITLE",
        help="Sheet of the workbook to read; may be repeated. Default: all with the headings of the first with labels.",
    ),
]
Recipe = Annotated[
    Literal["faces", "classic"],
    Option(help="faces: detect and embed faces. classic: the whole picture through VGG16, PCA, k-means."),
]
Crops = Annotated[
    Literal["auto", "always", "never"],
    Option(help="Whether a picture is one cut-out face, whose neighbours don't count; auto: decide by picture."),
]
Weights = Annotated[Path | None, Option(help="classic: Keras' VGG16 weight file, if not fetched.")]
Precision = Annotated[
    Literal["auto", "f32", "bf16", "int8"],
    Option(
        help="Of the networks' arithmetic: auto is bf16 where the processor computes it fast; f32 is exact, int8 rough."
    ),
]
Threads = Annotated[int, Option(min=0, help="Processor cores to use; 0 for all.")]
Strictness = Annotated[
    Literal["lenient", "balanced", "strict"],
    Option(
        help="How sure a merge must be. lenient: one person in ten may take in a stranger, and fewer faces stay"
        " alone. balanced: one in fifty. strict: one in five hundred, and people may be found in parts."
    ),
]
Model = Annotated[
    str,
    Option(
        metavar="NAME",
        help="faces: what turns a face into numbers, as in unmingle models list. What other models found is kept.",
    ),
]


MAY_BE_EMPTY = frozenset({"name", "title"})  # where that takes something away; of a path it is a variable not set
OPENED: list[Path] = []  # by this command, the last at the end
VARIABLE, NEW_VARIABLE = "UNMINGLE_KEY", "UNMINGLE_NEW_KEY"
SERVICE = "unmingle"  # in the system's keyring
TRIES = 3
HELP = "File with the key of an encrypted library; else UNMINGLE_KEY, the system's keyring, or a question."
_FILE: list[Path] = []  # of this command


def output(text: str, metavar: str | None = None) -> Any:
    """Where something is written."""
    return Option("--output", "-o", metavar=metavar, help=text)


def open_library(folder: Path) -> Library:
    """A library; it is loaded with all that it needs only where a command uses it."""
    from unmingle.library import Library

    OPENED.append(folder)
    provide(folder)
    return Library(folder)


def warn_of_others(folder: Path) -> None:
    """Say who else may read what was written to a folder."""
    from unmingle.store.privacy import exposed

    console.say(*exposed(folder), error=True)


def label_options(
    labels: str | Path | None,
    file_column: str | None,
    label_column: str | None,
    sheet: list[str] | None,
    drop: list[str] | None = None,
) -> LabelOptions:
    """How a table of labels is read, from the options that say so; without a table they would do nothing."""
    from unmingle.evaluation.labels import LabelOptions

    given = {"--file-column": file_column, "--label-column": label_column, "--sheet": sheet, "--drop": drop}
    idle = next((option for option, value in given.items() if value and labels is None), None)
    if idle is not None:
        raise typer.BadParameter(f"{idle} says how --labels is read, which is not given.")
    return LabelOptions(file_column, label_column, None if drop is None else tuple(drop), tuple(sheet or ()))


def said_or_as_before(
    context: typer.Context, library: Library, *, quiet: bool
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Arguments for `Library.add` and `Library.cluster`: what options say, and with --as-before else as it was made."""
    from unmingle.models.registry import SFACE
    from unmingle.settings import FALSE_MERGES, DetectionSettings, GroupingSettings, RecordingSettings
    from unmingle.sources.names import AUTO, compile_pattern

    sources = {name: context.get_parameter_source(name) for name in context.params}
    said = {name: context.params[name] for name, source in sources.items() if source and source.name != "DEFAULT"}
    if "every" in said:
        said["every"] = seconds(said["every"])
    if "strictness" in said:
        said["expected_false_merges"] = FALSE_MERGES[said["strictness"]]
    if "people" in said:
        said["people"] = said["people"] or None
    if said.get("no_name_pattern"):
        if "name_pattern" in said:
            mend = "Leave --name-pattern or --no-name-pattern out."
            raise SettingsError("Names can't be both read and not read.", mend)
        said["name_pattern"] = None
    elif said.get("name_pattern", AUTO) != AUTO:
        compile_pattern(said["name_pattern"])

    def only(names: Iterable[str]) -> dict[str, Any]:
        return {name: said[name] for name in names if name in said}

    before = context.params["as_before"]
    looking, grouping = library._as_before(context.params["recipe"]) if before else ({}, {})
    looking = {"model": SFACE.name} | looking | only(["model"])
    grouping |= only(["name_pattern", "sheets", "webvtt"])
    told = [] if "model" in said or looking["model"] == SFACE.name else [f"model {looking['model']}"]
    stages: tuple[tuple[dict[str, Any], str, Any], ...] = (
        (looking, "detection", DetectionSettings()),
        (looking, "recording", RecordingSettings()),
        (grouping, "settings", GroupingSettings()),
    )
    for arguments, name, usual in stages:
        kept = arguments.get(name) or usual
        arguments[name] = replace(kept, **only(asdict(usual)))
        unusual = {one: value for one, value in asdict(kept).items() if value != getattr(usual, one)}
        told += [f"{one.replace('_', ' ')} {value}" for one, value in unusual.items() if one not in said]
    if told and not quiet:
        console.say(f"As before: {', '.join(told)}.", error=True)
    return looking, grouping


def seconds(text: str) -> float:
    """A time as people write it."""
    number, unit = (text[:-2], 0.001) if text.endswith("ms") else (text.removesuffix("s"), 1.0)
    try:
        return float(number) * unit
    except ValueError as error:
        raise SettingsError(f"{text!r} is no time.", "Write it like 0.1s or 500ms.") from error


def _note(value: Path | None) -> None:
    _FILE[:] = [] if value is None else [value]


def _option(key_file: Annotated[Path | None, Option(metavar="FILE", help=HELP, callback=_note)] = None) -> None:
    pass


@cache
def _key_option() -> Any:
    """The option as Typer makes it, once for all commands: each start makes every command."""
    alone = typer.Typer(add_completion=False)
    alone.command()(_option)
    option = get_command(alone).params[0]
    option.expose_value = False
    return option


class KeyedCommand(TyperCommand):
    """A command that opens a library, and so takes a key."""

    def __init__(self, *words: Any, **more: Any) -> None:
        super().__init__(*words, **more)
        self.params.append(_key_option())

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """Inside of a library's folder, LIBRARY need not be given; an empty path would be the current folder."""
        from unmingle.sources.formats import LIBRARY_FILE

        here = Path(LIBRARY_FILE).is_file()
        said = self.make_parser(ctx).parse_args(list(args))[0] if here or "" in args else {}
        for name, value in said.items():
            if name not in MAY_BE_EMPTY and (value == "" or (isinstance(value, (list, tuple)) and "" in value)):
                raise typer.BadParameter(f"{name} is empty; the current folder is written as a dot.", ctx)
        if here and self.name == "cluster" and not said.keys() & {"output", "ray"}:
            args = ["--output", ".", *args]
        if here and any(one.name == "library" for one in self.params):
            given = said.get("library")
            path = None if given is None else Path(given)
            # Else the word is a folder, or can only be meant as one, and so as another library.
            if path is None or path.is_file() or (not path.exists() and path.name == given):
                args = [".", *args]
        return super().parse_args(ctx, args)


def read_key(path: Path) -> str:
    """A key from a file: what stands there, without the line's end."""
    try:
        key = path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path} can't be read as a key: {error}.", "Name a text file with the key.") from error
    if not key:
        raise SettingsError(f"{path} holds no key.", "Name a text file with the key.")
    return key


def known_key(folder: Path) -> str | None:
    """A library's key, as far as nobody has to be asked: a file, the environment, the system's keyring."""
    if _FILE:
        return read_key(_FILE[0])
    return os.environ.get(VARIABLE) or in_keyring(folder)


def provide(folder: Path, *, ask: bool = True) -> None:
    """Have the key of an encrypted library; on a terminal it may be asked for."""
    from unmingle.store.encryption import check_key, is_encrypted, key_of, unlock

    if key_of(folder) is not None or not is_encrypted(folder):
        return
    key = known_key(folder)
    for left in reversed(range(TRIES)):
        if key is None and not (ask and console.is_asked()):
            return  # opening it says what to do
        unlock(folder, key or typer.prompt(f"Key of {folder}", hide_input=True, err=True))
        try:
            check_key(folder)
        except LibraryLockedError as error:
            if key is not None or not left:
                raise
            console.say(error.problem, error=True)
        else:
            return


def new_key(folder: Path, *, change: bool = False, file: Path | None = None) -> str:
    """A key that a library is to get: as above, or asked for twice."""
    key = read_key(file) if file else os.environ.get(NEW_VARIABLE) if change else known_key(folder)
    if key is None and not console.is_asked():
        how = f"--new-key-file FILE, or {NEW_VARIABLE}" if change else f"--key-file FILE, or {VARIABLE}"
        raise SettingsError("There is no key to encrypt with.", f"Give one: {how}.")
    if key is not None:
        return key
    said: str = typer.prompt("New key (without it, nobody can open the library)", hide_input=True, err=True)
    if typer.prompt("Once more", hide_input=True, err=True) != said:
        raise SettingsError("The two are not the same.", "Start again.")
    return said


def begin_encrypted(library: Library, *, keep: bool) -> None:
    """Have a new library made as an encrypted one."""
    from unmingle.sources.formats import LIBRARY_FILE
    from unmingle.store.encryption import is_encrypted, unlock

    if is_encrypted(library.folder):
        return
    if (library.folder / LIBRARY_FILE).exists():
        mend = f"Run: {command('encrypt', library.folder)}"
        raise LibraryError(f"{library.folder} is there already, and not encrypted.", mend)
    key = new_key(library.folder)
    unlock(library.folder, key)
    if keep:
        remember(library.folder, key)


def refuse_encrypted(folder: Path, who: str) -> None:
    """Refuse to write plain files into an encrypted library."""
    from unmingle.store.encryption import is_encrypted

    if is_encrypted(folder):
        raise LibraryError(f"{folder} is an encrypted library, and {who} writes plain files.", "Name another folder.")


def in_keyring(folder: Path) -> str | None:
    """A library's key in the system's keyring, if one is there."""
    try:
        import keyring
    except ImportError:
        return None
    try:
        return keyring.get_password(SERVICE, str(folder.resolve()))
    except keyring.errors.KeyringError:
        return None


def remember(folder: Path, key: str | None) -> None:
    """Put a key into the system's keyring; None: take it out."""
    try:
        import keyring
    except ImportError as error:
        from unmingle.errors import MissingExtraError

        raise MissingExtraError("keyring", "encrypt", "to keep a key in the system's keyring") from error
    try:
        if key is None:
            keyring.delete_password(SERVICE, str(folder.resolve()))
        else:
            keyring.set_password(SERVICE, str(folder.resolve()), key)
    except keyring.errors.KeyringError as error:
        if key is not None:
            raise SettingsError(f"The system's keyring takes no key: {error}.", "Leave --keyring out.") from error

"""Where the key of an encrypted library comes from, and the command that encrypts one that is there."""

from __future__ import annotations

import os
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer import Option
from typer.core import TyperCommand
from typer.main import get_command

from unmingle import console
from unmingle.cli import options as opt
from unmingle.errors import LibraryError, LibraryLockedError, SettingsError, command

if TYPE_CHECKING:
    from typer import Context

    from unmingle.library import Library

VARIABLE, NEW_VARIABLE = "UNMINGLE_KEY", "UNMINGLE_NEW_KEY"
SERVICE = "unmingle"  # in the system's keyring
TRIES = 3
HELP = "File with the key of an encrypted library; else UNMINGLE_KEY, the system's keyring, or a question."
_FILE: list[Path] = []  # of this command


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
        """Inside of a library's folder, LIBRARY need not be given."""
        from unmingle.sources.formats import LIBRARY_FILE

        if Path(LIBRARY_FILE).is_file() and any(one.name == "library" for one in self.params):
            given = self.make_parser(ctx).parse_args(list(args))[0].get("library")
            if given is None or not _means_folder(given):
                args = [".", *args]
        return super().parse_args(ctx, args)


def _means_folder(given: str) -> bool:
    """Whether a word is a folder, or can only be meant as one, and so as another library."""
    path = Path(given)
    return not path.is_file() and (path.exists() or path.name != given)


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
    return os.environ.get(VARIABLE) or _in_keyring(folder)


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


def _in_keyring(folder: Path) -> str | None:
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

    if decrypt and change_key:
        raise typer.BadParameter("--decrypt and --change-key can't both be meant.")
    opened, encrypted = opt.open_library(library), is_encrypted(library)
    if encrypted != (decrypt or change_key):
        state = "encrypted already" if encrypted else "not encrypted"
        mend = "Pass --change-key or --decrypt." if encrypted else f"To encrypt it: {command('encrypt', library)}"
        raise SettingsError(f"{library} is {state}.", mend)
    _ = opened.revision  # whether it opens at all, before a key is asked for
    key = None if decrypt else new_key(library, change=change_key, file=new_key_file)
    left = opened.encrypt(key)
    if keyring or (encrypted and _in_keyring(library) is not None):  # an old key there would only be in the way
        remember(library, key)
    lines = [f"{library} is {'not encrypted any more' if decrypt else 'encrypted'}."]
    if not decrypt:
        lines.append(
            "The plain files in it were overwritten and deleted where that could be done. The database's log was"
            " only cut off; SSDs, snapshots and backups may hold all of it still."
        )
        lines += [
            f"Not encrypted, since it was written elsewhere: {one.path} ({one.kind})" for one in left if one.there
        ]
    console.tell(
        {"library": str(library), "encrypted": not decrypt, "outputs": [asdict(one) for one in left]},
        *lines,
        as_json=as_json,
    )

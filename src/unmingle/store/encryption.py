"""Encryption at rest: a library's file as SQLite or SQLCipher opens it, with what key, and the errors of both.

An encrypted library is a SQLCipher 4 database with SQLCipher's own settings, so that its programs open it with the same
passphrase. What a passphrase comes to is worked out once a process. Beside it lies what tells a wrong key from damage.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
import sqlite3
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from unmingle.errors import LibraryError, LibraryLockedError, MissingExtraError, SettingsError
from unmingle.files import JOURNAL, write_atomically
from unmingle.sources.images import LIBRARY_FILE as FILE

if TYPE_CHECKING:
    from pathlib import Path

MARK = "encryption.json"  # the salt of a library's key, and how a key is known to be the right one
PLAIN = b"SQLite format 3\0"
SEALED = b"sealed "  # how an encrypted line begins
SALT, NONCE = 16, 12  # bytes
ROUNDS = 256_000  # PBKDF2-HMAC-SHA512, as SQLCipher 4
CACHE = 64  # MB of decrypted pages for each connection: each page that is read again is decrypted again
_HEAD, _NOISE = 100, 60  # so many different bytes among the first has no text, and no SQLite file, however damaged
_KEYS: dict[Path, str] = {}  # of this process, by folder


@dataclass(frozen=True, slots=True)
class Mark:
    """What is known of a library's keys without any: the last is the newest; two while the key is being changed."""

    keys: tuple[tuple[str, str], ...] = ()  # salt, and what the key comes to with it, as hexadecimal digits
    pending: bool = False  # files may lie there still that are to go

    @classmethod
    def of(cls, folder: Path) -> Mark:
        """What lies in a folder; nothing if that can't be understood."""
        with suppress(OSError, ValueError, TypeError, KeyError):
            read = json.loads((folder / MARK).read_bytes())
            keys = tuple((str(salt), str(proof)) for salt, proof in read["keys"])
            if all(len(bytes.fromhex(salt)) == SALT for salt, _ in keys):
                return cls(keys, bool(read["pending"]))
        return cls()

    def write(self, folder: Path) -> None:
        """Put it into a folder, or take it away where there is nothing to tell."""
        if self.keys:
            content = json.dumps({"keys": self.keys, "pending": self.pending})
            write_atomically(folder / MARK, content.encode(), sync=True)
        else:
            (folder / MARK).unlink(missing_ok=True)


def errors(*others: type[Exception]) -> tuple[type[Exception], ...]:
    """What SQLite and SQLCipher raise, and others."""
    cipher = sys.modules.get("sqlcipher3")
    return (sqlite3.Error, *([cipher.Error] if cipher else ()), *others)


def unlock(folder: Path, key: str) -> None:
    """Remember the key of a library for this process; a new library there becomes an encrypted one.

    64 hexadecimal digits are the key itself, anything else is a passphrase.
    """
    if not isinstance(key, str) or not key or "\0" in key:
        raise SettingsError("This is no key.", "Give a text; 64 hexadecimal digits are taken as the key itself.")
    _KEYS[folder.resolve()] = key


def unlock_there(folder: Path, key: str) -> None:
    """The same, of a library that is there or not; refused at once if it is a plain one, or has another key."""
    if (folder / FILE).exists() and not is_encrypted(folder):
        raise LibraryError(f"{folder} is not encrypted.", "Leave the key out, or encrypt it: see Library.encrypt.")
    before = key_of(folder)
    unlock(folder, key)
    try:
        if is_encrypted(folder):
            check_key(folder)
    except LibraryLockedError:
        lock(folder) if before is None else unlock(folder, before)
        raise


def lock(folder: Path) -> None:
    """Forget the key of a library, and what keys come to."""
    _KEYS.pop(folder.resolve(), None)
    _raw.cache_clear()


def key_of(folder: Path) -> str | None:
    """The key of a library, if this process knows it."""
    return _KEYS.get(folder.resolve())


def is_encrypted(folder: Path) -> bool:
    """Whether a library is there that needs a key."""
    head = _head(folder / FILE)
    if head.startswith(PLAIN):
        return False
    return bool(Mark.of(folder).keys) or _is_noise(head) or _head(folder / JOURNAL).startswith(SEALED)


def check_key(folder: Path) -> None:
    """Refuse a key that isn't a library's; LibraryLockedError."""
    key_and_salt(folder, folder / FILE)


def connect(
    folder: Path, path: Path | None = None, how: str = "", *, timeout: float = 5.0, any_thread: bool = False
) -> sqlite3.Connection:
    """Open a database with a library's key if it has one. path: the library's file if None; how: as in `mode=ro`."""
    path = folder / FILE if path is None else path
    return connect_with(key_and_salt(folder, path), path, how, timeout=timeout, any_thread=any_thread)


def connect_with(
    key: str, path: Path, how: str = "", *, timeout: float = 5.0, any_thread: bool = False, cipher: bool = False
) -> sqlite3.Connection:
    """Open a database with such a key and its salt, as hexadecimal digits; empty for a plain one."""
    address = f"{path.absolute().as_uri()}?{how}" if how else path
    more: dict[str, Any] = {"uri": bool(how), "isolation_level": None, "timeout": timeout}
    opened: sqlite3.Connection = (_cipher() if key or cipher else sqlite3).connect(
        address, check_same_thread=not any_thread, **more
    )
    if key or cipher:
        opened.execute("PRAGMA cipher_log_level = NONE")  # it would print what is raised as well
    if key:
        opened.execute(f"PRAGMA key = \"x'{key}'\"")  # first of all that looks into the file
        opened.execute(f"PRAGMA cache_size = {-1024 * CACHE}")
        opened.execute("PRAGMA temp_store = MEMORY")
    return opened


def new_key(secret: str) -> tuple[str, tuple[str, str]]:
    """A key and a salt, as digits, for a new file; and how it is marked."""
    salt = secrets.token_bytes(SALT)
    raw = _raw(secret, salt)
    return (raw + salt).hex(), (salt.hex(), _proof(raw))


def salt_of(path: Path) -> str:
    """The salt that a file begins with; empty for a plain one, or none."""
    head = _head(path)
    return "" if head.startswith(PLAIN) else head[:SALT].hex()


def _cipher() -> Any:
    try:
        import sqlcipher3
    except ImportError as error:
        raise MissingExtraError("sqlcipher3", "encrypt", "to open an encrypted library") from error
    return sqlcipher3


def key_and_salt(folder: Path, path: Path) -> str:
    """What opens a database of a library, as digits; empty where none is needed."""
    secret, head, keys = key_of(folder), _head(path), Mark.of(folder).keys
    if head.startswith(PLAIN) or not (keys or _is_noise(head) or (secret is not None and not head)):
        return ""
    if secret is None:
        raise LibraryLockedError(
            f"{folder} is encrypted.",
            "Give its key: --key-file FILE, the environment's UNMINGLE_KEY, or, in Python, unmingle.open(…, key=…).",
        )
    if not (keys or head):  # it is about to be made
        key, mark = new_key(secret)
        Mark((mark,)).write(folder)
        return key
    salt = head[:SALT].hex()
    fitting = [one for one in keys if one[0] == salt] or [*keys[::-1]] or [(salt, "")]
    for known, proof in fitting:  # several only where the file's own salt is damaged
        raw = _raw(secret, bytes.fromhex(known))
        if not proof or hmac.compare_digest(_proof(raw), proof):
            return (raw + bytes.fromhex(known)).hex()
    raise wrong_key(folder)


def note_key(folder: Path) -> None:
    """Mark a key that has opened a library, where its mark was lost."""
    key, salt = key_of(folder), salt_of(folder / FILE)
    if key is not None and salt and not Mark.of(folder).keys:
        Mark(((salt, _proof(_raw(key, bytes.fromhex(salt)))),)).write(folder)


def wrong_key(folder: Path, *, perhaps: str = "") -> LibraryLockedError:
    """The key of a library is not the one that was given."""
    return LibraryLockedError(f"This is not the key of {folder}{perhaps}.", "Give the one that it was encrypted with.")


@lru_cache(maxsize=32)
def _raw(secret: str, salt: bytes) -> bytes:
    if len(secret) == 64 and not set(secret) - set("0123456789abcdefABCDEF"):
        return bytes.fromhex(secret)
    return hashlib.pbkdf2_hmac("sha512", secret.encode(), salt, ROUNDS, 32)


def _proof(raw: bytes) -> str:
    return hmac.digest(raw, b"unmingle key", "sha256").hex()


def _head(path: Path) -> bytes:
    with suppress(OSError):
        handle = os.open(
            path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)
        )  # in a library from elsewhere, perhaps a pipe
        with os.fdopen(handle, "rb") as file:
            return file.read(_HEAD) or b""
    return b""


def _is_noise(head: bytes) -> bool:
    return len(head) == _HEAD and len(set(head)) > _NOISE


@dataclass(frozen=True, slots=True)
class Sealer:
    """Encrypts lines of text (AES-256-GCM), each with the salt of its key, so that it can be read by itself."""

    secret: str
    salt: bytes  # of new lines

    def seal(self, text: bytes) -> bytes:
        """A line that says nothing."""
        nonce = secrets.token_bytes(NONCE)
        return SEALED + base64.b64encode(self.salt + nonce + self._box(self.salt).encrypt(nonce, text, b""))

    def unsealed(self, line: bytes) -> bytes:
        """What a line says; nothing if the key doesn't fit."""
        if not line.startswith(SEALED):
            return line
        with suppress(ValueError, self._invalid()):
            held = base64.b64decode(line[len(SEALED) :], validate=True)
            salt, nonce, rest = held[:SALT], held[SALT : SALT + NONCE], held[SALT + NONCE :]
            opened: bytes = self._box(salt).decrypt(nonce, rest, b"")
            return opened
        return b""

    def _box(self, salt: bytes) -> Any:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        return AESGCM(hmac.digest(_raw(self.secret, salt), b"unmingle journal", "sha256"))

    @staticmethod
    def _invalid() -> type[Exception]:
        from cryptography.exceptions import InvalidTag

        return InvalidTag


def sealer(folder: Path) -> Sealer | None:
    """What encrypts the lines of a library's journal; None where it is plain."""
    secret = key_of(folder)
    if secret is None or not is_encrypted(folder):
        return None
    salt = salt_of(folder / FILE) or Mark.of(folder).keys[-1][0]
    return Sealer(secret, bytes.fromhex(salt))

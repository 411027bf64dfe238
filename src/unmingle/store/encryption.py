"""Encryption at rest: a library's file as SQLite or SQLCipher opens it, with what key, and the errors of both.

An encrypted library is a SQLCipher 4 database with SQLCipher's own settings, so that its programs open it with the same
passphrase. What a passphrase comes to is worked out once a process. A mark beside it says that it is encrypted, and
tells a wrong key from damage: only SQLite opens the database, since whoever closes it here ends SQLite's locks.
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
from pathlib import Path
from typing import Any

from unmingle.errors import LibraryError, LibraryLockedError, MissingExtraError, SettingsError
from unmingle.files import JOURNAL, TEMPORARY, real_path, stamp, write_atomically
from unmingle.sources.formats import LIBRARY_FILE as FILE

MARK = "encryption.json"  # the salt of a library's key, and how a key is known to be the right one
NEW = f"{TEMPORARY}new.sqlite"  # the file that is to take the library's place; until it does, the key of before holds
SEALED = b"sealed "  # how an encrypted line begins
SALT, NONCE = 16, 12  # bytes
ROUNDS = 256_000  # PBKDF2-HMAC-SHA512, as SQLCipher 4
CACHE = 64  # MB of decrypted pages for each connection: each page that is read again is decrypted again
_HEAD, _NOISE = 100, 60  # so many different bytes among the first has no text, and no SQLite file, however damaged
_KEYS: dict[Path, str] = {}  # of this process, by folder
Salted = tuple[str, str]  # the salt of a key, and what the key comes to with it, empty if unknown; hexadecimal digits


@dataclass(frozen=True, slots=True)
class Mark:
    """What is known of a library's key without it."""

    key: Salted | None = None  # None: it is plain
    pending: bool = False  # files may lie there still that are to go

    @classmethod
    def of(cls, folder: Path) -> Mark:
        """What lies in a folder; where that is lost, what the journal tells."""
        with suppress(OSError, ValueError, TypeError, KeyError, RecursionError):
            read = json.loads(_head(folder / MARK, 4096))
            key = read["before"] if "before" in read and (folder / NEW).exists() else read["key"]
            return cls(key and _salted(*key), bool(read["pending"]))
        salt = sealed_with(folder)
        return cls((salt, "") if salt else None)

    def write(self, folder: Path, **before: Salted | None) -> None:
        """Put it into a folder, or take it away where there is nothing to tell; before: the key until NEW is gone."""
        if self.key or self.pending:
            content = json.dumps({"key": self.key, "pending": self.pending, **before})
            write_atomically(folder / MARK, content.encode(), sync=True)
        else:
            (folder / MARK).unlink(missing_ok=True)


def _salted(salt: str, proof: str) -> Salted:
    if len(bytes.fromhex(salt)) != SALT:
        raise ValueError(salt)
    return salt, proof


def errors(*others: type[Exception]) -> tuple[type[Exception], ...]:
    """What SQLite and SQLCipher raise, and others."""
    cipher = sys.modules.get("sqlcipher3")
    return (sqlite3.Error, *([cipher.Error] if cipher else ()), *others)


def unlock(folder: Path, key: str) -> None:
    """Remember the key or passphrase of a library for this process; a new library there becomes an encrypted one."""
    if not isinstance(key, str) or not key or "\0" in key:
        raise SettingsError("This is no key.", "Give a text; 64 hexadecimal digits are taken as the key itself.")
    _cipher()  # where it is missing, that is told before anything is made
    _KEYS[real_path(folder)] = key


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
    _KEYS.pop(real_path(folder), None)
    _raw.cache_clear()


def key_of(folder: Path) -> str | None:
    """The key of a library, if this process knows it."""
    return _KEYS.get(real_path(folder))


def is_encrypted(folder: Path) -> bool:
    """Whether a library is there that needs a key."""
    return Mark.of(folder).key is not None


def check_key(folder: Path) -> None:
    """Refuse a key that isn't a library's; LibraryLockedError."""
    if is_encrypted(folder):
        key_digits(folder)


def connect(folder: Path, path: Path | None = None, how: str = "") -> sqlite3.Connection:
    """Open a database with a library's key if it has one. path: the library's file if None; how: as in `mode=ro`."""
    path = folder / FILE if path is None else path
    return connect_with(key_digits(folder), path, how)


def connect_with(key: str, path: Path, how: str = "") -> sqlite3.Connection:
    """Open a database with such a key and its salt, as hexadecimal digits; empty for a plain one."""
    address = f"{path.absolute().as_uri()}?{how}" if how else path
    # The review page's readers pass from thread to thread, each in one at a time.
    more: dict[str, Any] = {"isolation_level": None, "check_same_thread": False}
    opened: sqlite3.Connection = (_cipher() if key else sqlite3).connect(address, uri=bool(how), **more)
    if key:
        opened.execute("PRAGMA cipher_log_level = NONE")  # it would print what is raised as well
        opened.execute(f"PRAGMA key = \"x'{key}'\"")  # first of all that looks into the file
        opened.execute(f"PRAGMA cache_size = {-1024 * CACHE}")
        opened.execute("PRAGMA temp_store = MEMORY")
    return opened


def new_key(secret: str) -> tuple[str, Salted]:
    """A key and a salt, as digits, for a new file; and how it is marked."""
    salt = secrets.token_bytes(SALT)
    raw = _raw(secret, salt)
    return (raw + salt).hex(), (salt.hex(), _proof(raw))


def _cipher() -> Any:
    try:
        import sqlcipher3
    except ImportError as error:
        raise MissingExtraError("sqlcipher3", "encrypt", "to open an encrypted library") from error
    return sqlcipher3


def key_digits(folder: Path) -> str:
    """What opens a library's database, as digits; empty where none is needed. One that isn't there gets its mark."""
    secret, salted = key_of(folder), Mark.of(folder).key
    if salted is None:
        if secret is None or stamp(folder / FILE)[0] > 0:
            return ""
        digits, salted = new_key(secret)
        Mark(salted).write(folder)
        return digits
    if secret is None:
        raise _locked(folder)
    salt, proof = salted
    raw = _raw(secret, bytes.fromhex(salt))
    if proof and not hmac.compare_digest(_proof(raw), proof):
        raise wrong_key(folder)
    return raw.hex() + salt


def note_key(folder: Path) -> None:
    """Mark a key that has opened a library, where its mark was lost."""
    secret, mark = key_of(folder), Mark.of(folder)
    if secret is not None and mark.key and not mark.key[1]:
        salt = mark.key[0]
        Mark((salt, _proof(_raw(secret, bytes.fromhex(salt)))), mark.pending).write(folder)


def explain_noise(folder: Path) -> None:
    """Raise what is to be said of a file that SQLite can't make anything of, if it seems to be encrypted."""
    salted = Mark.of(folder).key
    if salted is None and not (folder / JOURNAL).exists():  # no connection could use it, so that it may be looked into
        head = _head(folder / FILE, _HEAD)
        if len(head) == _HEAD and len(set(head)) > _NOISE:
            Mark((head[:SALT].hex(), "")).write(folder)
            raise _locked(folder)
    if salted and not salted[1]:
        raise wrong_key(folder, perhaps=f", or {FILE} is damaged")


def _locked(folder: Path) -> LibraryLockedError:
    return LibraryLockedError(
        f"{folder} is encrypted.",
        "Give its key: --key-file FILE, the environment's UNMINGLE_KEY, or, in Python, unmingle.open(…, key=…).",
    )


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


def _head(path: Path, most: int) -> bytes:
    with suppress(OSError):
        how = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)  # in a library from elsewhere, perhaps a pipe
        with os.fdopen(os.open(path, how), "rb") as file:
            return file.read(most) or b""
    return b""


def sealed_with(folder: Path) -> str:
    """The salt of the key that a library's journal is encrypted with; empty for a plain one, or none."""
    line = _head(folder / JOURNAL, _HEAD)
    with suppress(ValueError):
        if line.startswith(SEALED):
            return base64.b64decode(line[len(SEALED) :][:24])[:SALT].hex()
    return ""


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
        from cryptography.exceptions import InvalidTag

        with suppress(ValueError, InvalidTag):
            held = base64.b64decode(line[len(SEALED) :], validate=True)
            salt, nonce, rest = held[:SALT], held[SALT : SALT + NONCE], held[SALT + NONCE :]
            return bytes(self._box(salt).decrypt(nonce, rest, b""))
        return b""

    def _box(self, salt: bytes) -> Any:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        return AESGCM(hmac.digest(_raw(self.secret, salt), b"unmingle journal", "sha256"))


def sealer(folder: Path) -> Sealer | None:
    """What encrypts the lines of a library's journal; None where it is plain."""
    secret, salted = key_of(folder), Mark.of(folder).key
    return None if secret is None or salted is None else Sealer(secret, bytes.fromhex(salted[0]))

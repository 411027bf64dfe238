"""The folder or bucket that a job on a Ray cluster writes: tables of Parquet, each whole or not there."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq

from unmingle.errors import SettingsError, WriteError, reason
from unmingle.files import TEMPORARY, make_folder, write_atomically

FACES, THUMBNAILS, FILES, RECIPE = "faces", "thumbnails", "files", "recipe.txt"
ASSIGNMENT, PEOPLE, STATISTICS, DECISIONS = "assignment", "people.parquet", "statistics.json", "decisions"
CLUSTERS = "clusters"  # for faces that come later
PLAIN = "/!$&'()*+,;=:@~"  # what stands in the path of a URL as it is


@cache  # to open one asks the network
def _system(address: str) -> tuple[pyarrow.fs.FileSystem, str]:
    return pyarrow.fs.FileSystem.from_uri(address)  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class Place:
    """A folder on a disk or in an object store, by its address: a path, or s3://, gs:// and what pyarrow reads.

    Of an address, what a URL doesn't allow is escaped; options stand behind a question mark.
    """

    address: str

    @property
    def opened(self) -> tuple[pyarrow.fs.FileSystem, str]:
        """The file system, and the path there."""
        if "://" not in self.address:
            return pyarrow.fs.LocalFileSystem(), self.address
        parts = urlsplit(self.address)
        system, root = _system(urlunsplit(parts._replace(path="/")))
        return system, root.rstrip("/") + unquote(parts.path)

    def address_of(self, path: str) -> str:
        """The address of a path of its file system."""
        parts = urlsplit(self.address)
        root = _system(urlunsplit(parts._replace(path="/")))[1].rstrip("/")
        return urlunsplit(parts._replace(path=quote(path.removeprefix(root), safe=PLAIN)))

    def names(self, folder: str, ending: str = ".parquet") -> list[str]:
        """The names of the files of a folder, in order; none if it isn't there."""
        system, path = self.opened
        selector = pyarrow.fs.FileSelector(f"{path}/{folder}", allow_not_found=True)
        there = [info.base_name for info in system.get_file_info(selector)]
        return sorted(name for name in there if name.endswith(ending) and not name.startswith(TEMPORARY))

    def write(self, name: str, table: pa.Table) -> None:
        """Write a table."""
        content = pa.BufferOutputStream()
        pq.write_table(table, content, compression="zstd")
        self._put(name, content.getvalue().to_pybytes())

    def read_text(self, name: str) -> str:
        """A small text; empty if it isn't there."""
        system, path = self.opened
        try:
            with system.open_input_stream(f"{path}/{name}") as stream:
                return str(stream.read().decode())
        except FileNotFoundError:
            return ""

    def write_text(self, name: str, text: str) -> None:
        """Write a small text."""
        self._put(name, text.encode())

    def _put(self, name: str, content: bytes) -> None:
        """Write a file, so that it is there as a whole or not at all."""
        system, path = self.opened
        # A put to an object store is whole by itself; on a disk it is moved into place, and for its owner only.
        if isinstance(system, pyarrow.fs.LocalFileSystem):
            write_atomically(Path(path, name), content)
            return
        system.create_dir(f"{path}/{name}".rpartition("/")[0])
        with system.open_output_stream(f"{path}/{name}") as stream:
            stream.write(content)

    def claim(self, recipe: str) -> None:
        """Make it the place of faces that were found so; SettingsError if it has others, or is something else."""
        try:
            system, path = self.opened
            make_folder(Path(path)) if isinstance(system, pyarrow.fs.LocalFileSystem) else system.create_dir(path)
            there = {info.base_name for info in system.get_file_info(pyarrow.fs.FileSelector(path))}
            if RECIPE not in there and not there:
                self.write_text(RECIPE, recipe)
            elif RECIPE not in there:
                raise SettingsError(f"{self.address} has other files.", "Name an empty folder, or a new one.")
            known = self.read_text(RECIPE)
        except (OSError, ValueError) as error:
            raise WriteError(f"{self.address} can't be written: {reason(error)}.", "Name another folder.") from error
        if known != recipe:
            problem = f"The faces in {self.address} were found with other settings, or by another version."
            raise SettingsError(problem, "Name another folder.")

    def delete(self, name: str) -> None:
        """Delete a file."""
        system, path = self.opened
        system.delete_file(f"{path}/{name}")

    def read(self, name: str, columns: Sequence[str] | None = None) -> pa.Table:
        """A table."""
        system, path = self.opened
        return pq.read_table(f"{path}/{name}", filesystem=system, columns=columns)


def read_all(place: Place, folder: str) -> Iterator[dict[str, Any]]:
    """The rows of all parts of a folder, a part in memory at a time."""
    for name in place.names(folder):
        yield from place.read(f"{folder}/{name}").to_pylist()


def key(name: str) -> int:
    """A number from 0 to 2**63, spread evenly, by which a face or picture is known."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 1

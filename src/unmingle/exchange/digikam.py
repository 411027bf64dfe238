"""The names in digiKam's database: faces that somebody confirmed there, by picture and place."""

from __future__ import annotations

import re
import sqlite3
import time
from contextlib import closing
from itertools import groupby
from typing import TYPE_CHECKING
from urllib.parse import unquote

from unmingle.errors import PictureError
from unmingle.sources.images import PictureFile
from unmingle.sources.regions import FACE, Area, Packet, Region, area_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = "digikam4.db"
ALBUMS = ("AlbumRoots", "Albums", "Images", "ImageInformation")
TABLES = (*ALBUMS, "ImageTags", "ImageTagProperties", "Tags", "TagProperties")
PATIENCE = 60  # seconds for all of it
LONGEST = 1_000_000  # bytes of one value
SIDE = re.compile(r'\b(x|y|width|height)="(-?[0-9]{1,7})"')
# A tag is a person's if it has this property; `ImageTags` also has people of whom it isn't said where they are.
QUERY = """
SELECT identifier, specificPath, relativePath, Images.name, width, height, Tags.name, region.value
FROM ImageTags
JOIN Tags ON Tags.id = ImageTags.tagid
JOIN Images ON Images.id = ImageTags.imageid AND Images.status = 1
JOIN Albums ON Albums.id = Images.album
JOIN AlbumRoots ON AlbumRoots.id = Albums.albumRoot
LEFT JOIN ImageInformation ON ImageInformation.imageid = Images.id
LEFT JOIN ImageTagProperties AS region
    ON region.imageid = Images.id AND region.tagid = Tags.id AND region.property = 'tagRegion'
WHERE EXISTS (SELECT 1 FROM TagProperties AS is_person WHERE is_person.tagid = Tags.id AND property = 'person')
AND NOT EXISTS (
    SELECT 1 FROM TagProperties AS other WHERE other.tagid = Tags.id
    AND property IN ('unknownPerson', 'unconfirmedPerson', 'ignoredPerson')
)
ORDER BY Images.id, Tags.id
"""


def read_digikam(database: Path) -> Iterator[tuple[PictureFile, Packet]]:
    """Each picture with confirmed people, and what is said of it: places in pixels of the upright picture.

    Raises:
        PictureError: it is no such database, or damaged.
    """
    try:
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST)
            end = time.monotonic() + PATIENCE
            connection.set_progress_handler(lambda: time.monotonic() > end, 100_000)
            marks = ", ".join("?" * len(TABLES))
            query = f"SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name IN ({marks})"  # no views
            if connection.execute(query, TABLES).fetchone()[0] < len(TABLES):
                raise PictureError("a database, but not digiKam's")
            for (volume, root, album, name, *size), rows in groupby(connection.execute(QUERY), key=lambda row: row[:6]):
                said = [(str(person), _area(value)) for *_, person, value in rows]
                regions = [Region(person, FACE, area, pixels=True) for person, area in said if area]
                people = dict.fromkeys(person for person, area in said if not area)
                drawn_on = tuple(size) if all(isinstance(side, int) and side > 0 for side in size) else None
                file = PictureFile(
                    f"{_volume(volume)}/{str(root).strip('/')}".rstrip("/"), f"{album}/{name}".strip("/")
                )
                yield file, Packet(tuple(regions), drawn_on, speaks=True, people=tuple(people))
    except sqlite3.Error as error:
        raise PictureError(f"digiKam's database can't be read: {error}") from error


def _volume(identifier: object) -> str:
    """Where a root's volume is; known only if it is named by path."""
    return unquote(str(identifier).partition("?path=")[2]).rstrip("/")


def _area(value: object) -> Area | None:
    """The area of `<rect x="1" y="2" width="3" height="4"/>`; None if there is none, as of a whole picture."""
    sides = {side: float(number) for side, number in SIDE.findall(str(value))}
    return area_of(*map(sides.get, ("x", "y", "width", "height")), cornered=True)

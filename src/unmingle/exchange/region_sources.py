"""Where names are read from: files and folders, and what was drawn on a picture or said of it: in it, or beside it.

Beside it are sidecars in XMP, those in JSON of Google's Takeout and of osxphotos, Picasa's .picasa.ini, digiKam's
database, and JSON in the format of COCO.
"""

from __future__ import annotations

import html
import json
import os
import re
import sqlite3
import time
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote

from unmingle.errors import PictureError, SourceError, reason
from unmingle.evaluation.columns import label_of
from unmingle.evaluation.workbook_parts import check_cells
from unmingle.exchange.table_files import OUR_TABLES
from unmingle.exchange.xmp import ENDING
from unmingle.sources.formats import SUFFIXES, head_of, picture_format, read_file
from unmingle.sources.images import MANIFEST, PictureFile, is_manifest, readable, walk
from unmingle.sources.metadata import LARGEST_PACKET, NORMAL
from unmingle.sources.names import developed
from unmingle.sources.regions import (
    FACE,
    Area,
    Packet,
    Region,
    Stored,
    area_of,
    lies,
    number,
    read_packet,
    read_stored,
    to_upright,
)
from unmingle.store.face_query import Picture

SAME_SHAPE = 0.02  # two shapes are one if they differ by less: a small copy is rounded to whole pixels
WHICH_WAY_UP = "ACDSee's, which doesn't say whether it is of the picture as stored or as turned"
OTHER_SHAPE = "drawn on a picture of another shape, {:g}×{:g}"
PICASA = (".picasa.ini", "Picasa.ini", "picasa.ini")
TABLE_ENDINGS = frozenset({".csv", ".tsv", ".txt", ".json", ".parquet", ".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"})
CONTACTS = "contacts.xml"  # of Picasa's own folder, where older versions kept all names
CONTACT = re.compile(r'<contact\s[^<>]*?\bid="([0-9a-fA-F]{1,16})"[^<>]*?\bname="([^"<>]*)"')
RECT64 = re.compile(r"rect64\(([0-9a-fA-F]{1,16})\),([0-9a-fA-F]{1,16})")
JSON = ".json"
CLIPPED = 46  # characters of a sidecar's name that Takeout leaves, without its ending and a namesake's number
SUFFIX = ".supplemental-metadata"
NUMBERED = re.compile(r"^(?P<stem>.+)(?P<number>\(\d+\))(?P<ending>\.[^.]*)$")
EDITED = re.compile(r"^(?P<stem>.+)-[^\W\d_]+(?P<number>(?:\(\d+\))?)(?P<ending>\.[^.]*)$")  # in any language
OF_OSXPHOTOS = ("XMP:PersonInImage", "XMP-iptcExt:PersonInImage", "PersonInImage", "persons")
COCO = "coco.json"
# Rows of a table, one on each line, may have such a column; its cells are no lists.
COCO_HEAD = re.compile(
    rb'(?:\xef\xbb\xbf)?\s*\{\s*"(?:info|licenses|images|annotations|categories)"\s*:\s*(?:[{\[]|null)'
)
# Categories that are nobody's name: what detectors call everybody, and how our own export calls who has none.
NOBODY = re.compile("face|head|human|person|people|pedestrian|person-[0-9]{4,}", re.IGNORECASE)
DIGIKAM = "digikam4.db"
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

Kind = Literal["sidecar", "picture", "tags", "digikam", "coco", "table", "picasa", "contacts", "problem"]
NameSource = tuple[Kind, PictureFile]
# What speaks for a whole folder, by its fixed name; contacts before those who are called by their numbers.
FIXED: Sequence[tuple[Kind, str]] = (("contacts", CONTACTS), *(("picasa", ini) for ini in PICASA), ("digikam", DIGIKAM))
# Of such files in a folder only those that we write are read: others may be of anything.
OURS: dict[Kind, Collection[str]] = {"table": OUR_TABLES, "coco": (COCO,)}


def expand(sources: Sequence[Path]) -> list[NameSource]:
    """The files of the sources: of folders, the sidecars, pictures and tables of our own in them."""
    found: list[NameSource] = []
    for source in sources:
        path = source.absolute()
        if not path.exists():
            raise SourceError(f"There is no {readable(str(path))}.", "Check the path; quote it if it has spaces.")
        found.extend(_of_folder(path) if path.is_dir() else _of_file(path))
    if not found:
        names = ", ".join(readable(str(source)) for source in sources)
        problem = f"There are no XMP files and no pictures in {names}."
        raise SourceError(problem, "Name such a folder, or a csv with names.")
    return list(dict.fromkeys(found))


def _of_folder(root: Path) -> Iterator[NameSource]:
    files = [file for file in walk(root, SUFFIXES | {ENDING} | TABLE_ENDINGS) if not isinstance(file, str)]
    for folder in sorted({file.path.parent for file in files} | {root}):
        for kind, name in FIXED:
            if (folder / name).is_file():
                yield kind, PictureFile(str(root), os.path.relpath(folder / name, root))
    # A folder of people that we exported holds copies, of which its manifest says whence they are.
    manifests = [file.path for file in files if file.path.name == MANIFEST and is_manifest(file.path)]
    copies = tuple(str(manifest.parent) + os.sep for manifest in manifests)
    for file in files:
        path = file.path
        if file.problem:
            yield "problem", file
        elif path in manifests:
            yield "table", file
        elif not str(path).startswith(copies):
            kind = _kind(path)
            if path.name in OURS.get(kind, {path.name}):
                yield kind, file


def _of_file(path: Path) -> Iterator[NameSource]:
    """A file that was named, and the sidecars beside a picture, which speak for it."""
    kind: Kind = "picasa" if path.name in PICASA else _kind(path)
    if kind == "picture":
        wanted = {name.casefold() for name in (path.name, path.stem)}
        for beside in sorted(path.parent.iterdir()):
            if beside.suffix.lower() == ENDING and developed(beside.stem).casefold() in wanted:
                yield "sidecar", PictureFile(str(path.parent), beside.name)
    yield kind, PictureFile(str(path.parent), path.name)


def _kind(path: Path) -> Kind:
    suffix = path.suffix.lower()
    if suffix == ENDING:
        return "sidecar"
    if suffix == ".db" and head_of(path).startswith(b"SQLite format 3"):
        return "digikam"
    if suffix in SUFFIXES or (suffix not in TABLE_ENDINGS and picture_format(head_of(path))):
        return "picture"
    if path.name.lower() == CONTACTS:
        return "contacts"
    if suffix == JSON and COCO_HEAD.match(head_of(path)):
        return "coco"
    return "tags" if suffix == JSON and read_tags(path) else "table"


@dataclass(frozen=True, slots=True)
class Drawn:
    """Regions, and the file that they were read from: a picture, or a sidecar of one."""

    file: PictureFile
    packet: Packet
    stored: Stored | None  # the picture; None if it isn't there
    beside: bool = False  # read from a sidecar that has a list, or can't be read: it wins over what is inside
    of: PictureFile | None = None  # the picture, where the file's name isn't its name with an ending
    shown: bool = False  # drawn on the picture as it is shown, not as it is stored

    @property
    def picture(self) -> tuple[str, str]:
        """The picture's name below its source, and its whole path, as text."""
        file = self.of or self.file
        texts = file.name, readable(str(file.path)).replace(os.sep, "/")
        name, path = (text[: -len(ENDING)] if text.lower().endswith(ENDING) else text for text in texts)
        return name, path

    @property
    def is_of_raw(self) -> bool:
        """Whether it is a raw picture's sidecar."""
        return developed(self.picture[0]) != self.picture[0]

    @property
    def where(self) -> str:
        """What to call it when something of it is told: of many pictures' file, also the picture."""
        many = self.of and (self.shown or not self.file.name.endswith(JSON))
        return f"{self.file.name}: {self.of.name}" if self.of and many else self.file.name

    @property
    def named(self) -> list[Region]:
        """The faces that have a name."""
        return [region for region in self.packet.regions if region.is_face and label_of(region.name)]

    @property
    def people(self) -> list[str]:
        """Who is in the picture, of whom it isn't said where, as Microsoft's tags may have no rectangle."""
        return [*filter(label_of, self.packet.people), *(one.name for one in self.named if one.area is None)]

    def upright(self, region: Region, picture: Picture) -> tuple[Area | None, str]:
        """The area on the upright picture of a region that has one, or None and why there is none."""
        if self.shown:
            size, shape = (picture.width, picture.height), self.packet.size
            if shape and not _one_shape(shape, size):
                if not _one_shape(shape, size[::-1]):
                    return None, OTHER_SHAPE.format(*shape)
                shape = shape[::-1]  # as it is stored
            return region.shares(shape or size), ""
        # Of a picture that is gone, or a raw one, which isn't read, what the sidecar says has to do.
        orientation, size = self.packet.orientation or NORMAL, (picture.width, picture.height)
        size = size[::-1] if lies(orientation) else size
        with suppress(PictureError):
            if not self.is_of_raw:
                stored = self.stored or read_stored(picture.held.file.path)
                orientation, size = stored.orientation, (stored.width, stored.height)
        area, shape = region.shares(size), self.packet.size
        assert area is not None
        told = shape and lies(orientation) and not _one_shape(shape, shape[::-1])
        if region.schema == "ACDSee" and orientation != NORMAL and not told:
            return None, WHICH_WAY_UP
        if shape is None or region.pixels or _one_shape(shape, size):
            return to_upright(area, orientation), ""
        if _one_shape(shape, size[::-1]) and lies(orientation):
            return area, ""  # against the standard, drawn on the picture as it is shown
        return None, OTHER_SHAPE.format(*shape)


def _one_shape(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return abs(one[0] * other[1] / (one[1] * other[0]) - 1) <= SAME_SHAPE


def read_drawn(kind: Kind, file: PictureFile, *, contacts: Mapping[str, str]) -> list[Drawn]:
    """What a sidecar or a picture says, as far as there is anything to take or to tell; contacts: Picasa's."""
    if kind == "picture":
        stored = read_stored(file.path)
        found = [Drawn(file, read_packet(packet), stored) for packet in stored.packets]
    elif kind == "digikam":
        found = [Drawn(file, packet, None, of=of, shown=True) for of, packet in read_digikam(file.path)]
    elif kind == "picasa":
        found = [Drawn(file, packet, None, of=of) for of, packet in read_picasa(file, contacts)]
    elif kind == "coco":
        found = [Drawn(file, packet, None, of=of, shown=True) for of, packet in read_coco(file.path)]
    elif kind == "tags":
        packet = Packet((), people=read_tags(file.path))
        below = (str(Path(file.relative).with_name(name)) for name in tagged_files(file.path))
        found = [Drawn(file, packet, None, of=PictureFile(file.source, one)) for one in below]
        found = found or [Drawn(file, packet, None)]
    else:
        found = [of_sidecar(file, read_packet(read_file(file.path, LARGEST_PACKET)))]
    return [one for one in found if one.beside or one.packet.regions or one.people or one.packet.unread]


def of_sidecar(file: PictureFile, packet: Packet | None) -> Drawn:
    """What a sidecar says; without a packet it can't be read, and what is inside its picture may be older."""
    stored = None
    with suppress(PictureError):
        stored = read_stored(file.path.with_suffix(""))
    return Drawn(file, packet or Packet(()), stored, beside=packet is None or packet.speaks)


def read_tags(path: Path) -> tuple[str, ...]:
    """The names that a sidecar says are in its picture; none if it is no such sidecar."""
    try:
        said: Any = json.loads(read_file(path, LARGEST_PACKET))
    except (PictureError, OSError, ValueError, RecursionError):
        return ()
    if isinstance(said, list) and len(said) == 1 and isinstance(said[0], dict) and "SourceFile" in said[0]:
        names: Any = next((said[0][key] for key in OF_OSXPHOTOS if key in said[0]), [])
        names = [names] if isinstance(names, str) else names
    elif isinstance(said, dict) and isinstance(said.get("title"), str) and isinstance(said.get("people"), list):
        names = [one.get("name") for one in said["people"] if isinstance(one, dict)]
    else:
        return ()
    texts = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
    return tuple(dict.fromkeys(name for name in texts if label_of(name)))


def tagged_files(sidecar: Path) -> tuple[str, ...]:
    """The files beside a sidecar that it is of: the picture, and what it was edited to."""
    folder = sidecar.parent
    return tuple(_by_stem(folder, folder.stat().st_mtime_ns).get(sidecar.name[: -len(JSON)], ()))


@lru_cache(maxsize=1)
def _by_stem(folder: Path, changed: int) -> dict[str, list[str]]:
    """The files of a folder by what their sidecars are called, without the ending; changed: when the folder was."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for name in sorted(entry.name for entry in os.scandir(folder)):
        if not name.lower().endswith(JSON):
            for stem in dict.fromkeys(_stems(name)):
                found[stem].append(name)
    return found


def _stems(name: str) -> Iterator[str]:
    yield name
    matches = filter(None, (pattern.match(name) for pattern in (NUMBERED, EDITED)))  # the number goes to the end
    for whole, which in [(name, ""), *((one["stem"] + one["ending"], one["number"]) for one in matches)]:
        for called in (whole, Path(whole).stem):  # Takeout leaves the ending out where the title has none
            yield called[:CLIPPED] + which
            yield f"{called}{SUFFIX}"[:CLIPPED] + which


def read_coco(path: Path) -> Iterator[tuple[PictureFile, Packet]]:
    """Each picture with boxes in JSON as COCO has it, and the categories that these are of: in pixels, as shown.

    PictureError if something is not as it should be.
    """
    data = read_file(path)
    check_cells(path.name, sum(map(data.count, (b"{", b"[", b","))))
    regions: defaultdict[Any, list[Region]] = defaultdict(list)
    try:
        said: Any = json.loads(data)
        names = ((one["id"], str(one["name"])) for one in said["categories"])
        called = {category: "" if NOBODY.fullmatch(name) else name for category, name in names}
        for one in said["annotations"]:
            sides = [number(str(side)) for side in one.get("bbox") or ()]
            area = area_of(*sides, cornered=True) if len(sides) == 4 else None
            regions[one["image_id"]].append(Region(called.get(one.get("category_id"), ""), FACE, area, pixels=True))
        for one in said["images"]:
            size = one.get("width"), one.get("height")
            drawn_on = size if all(isinstance(side, int) and side > 0 for side in size) else None
            if one["id"] in regions:
                yield PictureFile("", str(one["file_name"])), Packet(tuple(regions[one["id"]]), drawn_on)
        for image in sorted(regions.keys() - {one["id"] for one in said["images"]}, key=str):
            yield PictureFile("", f"image {image}, which is not listed"), Packet(tuple(regions[image]))
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise PictureError(f"JSON, but neither a table nor as COCO has it: {reason(error)}") from error


def read_contacts(path: Path) -> dict[str, str]:
    """The names in Picasa's contacts.xml, by the numbers that .picasa.ini has."""
    text = read_file(path, LARGEST_PACKET).decode("utf-8-sig", "replace")
    return {_contact(who): html.unescape(name) for who, name in CONTACT.findall(text)}


def _contact(who: str) -> str:
    return who.lower().lstrip("0")


def read_picasa(ini: PictureFile, contacts: Mapping[str, str]) -> Iterator[tuple[PictureFile, Packet]]:
    """Each picture of Picasa's folder that has faces, and whom Picasa calls them: places as stored, in 65,535ths."""
    sections: defaultdict[str, dict[str, str]] = defaultdict(dict)
    section = ""
    for line in read_file(ini.path, LARGEST_PACKET).decode("utf-8-sig", "replace").splitlines():
        key, equals, value = line.strip().partition("=")
        if key.startswith("[") and key.endswith("]"):
            section = key[1:-1]
        elif equals:
            sections[section][key] = value
    called = {**contacts, **{_contact(who): said.partition(";")[0] for who, said in sections["Contacts2"].items()}}
    for name, said in sections.items():
        regions, faces = [], RECT64.findall(said.get("faces", ""))
        for place, who in faces:
            left, top, right, bottom = (int(place.zfill(16)[at : at + 4], 16) / 0xFFFF for at in range(0, 16, 4))
            area = area_of(left, top, right - left, bottom - top, cornered=True)
            regions.append(Region(called.get(_contact(who), ""), FACE, area))
        elsewhere = sum(_contact(who) not in called and who.strip("f") != "" for _, who in faces)  # all f: nobody
        unread = ((CONTACTS, elsewhere),) if elsewhere else ()
        if regions:
            file = PictureFile(ini.source, str(Path(ini.relative).with_name(name)))
            yield file, Packet(tuple(regions), unread=unread)


def read_digikam(database: Path) -> Iterator[tuple[PictureFile, Packet]]:
    """Each picture with confirmed people, and what is said of it: places in pixels of the upright picture.

    PictureError if it is no such database, or damaged.
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
                place = unquote(str(volume).partition("?path=")[2]).rstrip("/")  # known only if it is named by path
                file = PictureFile(f"{place}/{str(root).strip('/')}".rstrip("/"), f"{album}/{name}".strip("/"))
                yield file, Packet(tuple(regions), drawn_on, speaks=True, people=tuple(people))
    except sqlite3.Error as error:
        raise PictureError(f"digiKam's database can't be read: {error}") from error


def _area(value: object) -> Area | None:
    """The area of `<rect x="1" y="2" width="3" height="4"/>`; None if there is none, as of a whole picture."""
    sides = {side: float(number) for side, number in SIDE.findall(str(value))}
    return area_of(*map(sides.get, ("x", "y", "width", "height")), cornered=True)

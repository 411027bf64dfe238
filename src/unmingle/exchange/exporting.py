"""A library's results as others want them: folders of people, tables, a filled workbook, regions, crops."""

from __future__ import annotations

import csv
import io
import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePath, PurePosixPath
from typing import Literal, get_args

import cv2
import numpy as np

from unmingle.errors import PictureError, SettingsError, SourceError, WriteError
from unmingle.evaluation.labels import LabelOptions
from unmingle.exchange import xmp
from unmingle.exchange.output_folder import How, OutputFolder, safe_name, safe_names
from unmingle.exchange.table_files import as_files, filled_workbook, library_tables
from unmingle.files import check_inside, no_empty_folder, real_path, sync_all, user_path, write_atomically
from unmingle.progress import Progress
from unmingle.records import F32, U8
from unmingle.settings import one_of
from unmingle.sources.images import MANIFEST, MANIFEST_COLUMNS, PictureFile, quiet_decoders, readable
from unmingle.sources.names import distinct, tails
from unmingle.sources.recordings import Recording, as_shown
from unmingle.sources.regions import (
    FACE,
    LEAST_OVERLAP,
    SCHEMAS,
    Area,
    Region,
    Schema,
    overlap,
    read_packet,
    read_stored,
    to_stored,
)
from unmingle.store.face_query import FileFace, Picture, files_of_people, pictures
from unmingle.store.file_rows import walked_folders
from unmingle.store.result_tables import FACES, faces_table, library_people
from unmingle.store.screen_time import file_of_recording, screen_times
from unmingle.store.sightings import tracks
from unmingle.store.sqlite import Store
from unmingle.text_layout import counted, csv_cell

# Person, name, frame of a recording and number of one of their faces, and the file that shows it.
Shown = tuple[int, str, int | None, int | None, PictureFile]

Target = Literal["folders", "csv", "xlsx", "parquet", "json", "xmp", "coco"]
By = Literal["name", "id"]
# Whose faces are in it: those of people with a name, or all.
WhichFaces = Literal["named", "all"]
FACE_COLUMNS = ("frame", "face")  # of a manifest: one face of the person there, by which the name comes back
# What ExifTool goes by; the name of a picture may say otherwise.
ENDINGS = {"JPEG": ".jpg", "MPO": ".jpg", "PNG": ".png", "TIFF": ".tif", "WEBP": ".webp", "GIF": ".gif"}
ENDINGS |= {"HEIF": ".heic", "AVIF": ".avif", "JPEG2000": ".jp2"}
COCO = "coco.json"
MARGIN = 0.3  # of a box, on each side: as much as a cutter usually adds, so that the crop is seen as one
JPEG_QUALITY = 95


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What an export is like; each part counts for some targets only."""

    by: By = "name"  # folders: what they are called by.
    how: How = "copy"  # folders: whether files are copied or linked. Recordings are linked only: copies may be vast.
    faces: WhichFaces = "named"  # xmp, coco: whose faces are in it.
    embed: bool = False  # xmp: into copies of the pictures, instead of beside them.
    labels: Path | None = None  # xlsx: a workbook or csv of labels, to be copied with the found people filled in.
    label_options: LabelOptions | None = None  # how that is read.

    def __post_init__(self) -> None:
        one_of("by", self.by, get_args(By))
        one_of("how", self.how, get_args(How))
        one_of("faces", self.faces, get_args(WhichFaces))
        if self.labels is not None:
            object.__setattr__(self, "labels", user_path(self.labels))


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export did."""

    destination: str  # the folder.
    written: int  # files that were written, or would be in a dry run.
    there: int  # files that were there already, with the same content.
    in_the_way: tuple[str, ...]  # names in the folder that something else has; it was left as it is.
    left_out: tuple[tuple[str, str], ...]  # (file, why) of files that could not be exported.
    folders: tuple[tuple[str, int], ...] = ()  # (folder, how many files) of each person, for folders.


def export(
    store: Store, to: Target, destination: Path, options: ExportOptions, *, dry_run: bool, progress: Progress
) -> Exported:
    """See `Library.export`."""
    one_of("to", to, get_args(Target))
    destination = destination.absolute()
    if real_path(destination).is_relative_to(real_path(store.folder)):
        raise SettingsError(f"{destination} is inside the library.", "Choose a folder outside of it.")
    check_outside(destination, walked_folders(store))
    out = OutputFolder(destination, dry_run)
    job = _Job(store, out, options, progress)
    with no_empty_folder(destination):
        with out:
            if to == "folders":
                job.folders()
            elif to == "xmp":
                job.regions()
            elif to == "coco":
                job.coco()
            elif options.labels is not None:
                job.labels(options.labels)
            else:
                faces = faces_table(store)
                tables = {"faces": faces.select(list(FACES))}
                tables |= library_tables(library_people(store), screen_times(store))
                for name, content in as_files(tables, to).items():
                    out.attempt(name, partial(out.put, name, content))
        out.check()
    left_out, counts = tuple(out.left_out), tuple(job.counts.items())
    return Exported(str(destination), out.written, out.there, tuple(out.in_the_way), left_out, counts)


def check_outside(destination: Path, folders: Iterable[str | Path]) -> None:
    """Refuse to write into folders where the next run would find copies of what it knows, or onto a file."""
    real = real_path(user_path(destination))
    for source in folders:
        if real.is_relative_to(real_path(source)):
            raise SettingsError(
                f"{destination} is inside {readable(str(source))}, where the library's pictures are.",
                "Choose a folder outside of it: the next unmingle cluster would take what is written there for more.",
            )
    if real.exists() and not real.is_dir():
        raise SettingsError(f"{destination} is a file.", "An export needs a folder: choose another name.")


def plan(shown: Iterable[Shown], *, by: By) -> dict[str, dict[str, Shown]]:
    """A folder for each person, and a name there for each of their files, the same for the same library.

    Names are safe for every system (see `safe_name`); of those that would be one on some system, the later get a
    number. A person without a name is called by number. A file that shows several people is there for each.
    """
    files: defaultdict[tuple[int, str], dict[PictureFile, Shown]] = defaultdict(dict)
    for one in shown:
        files[one[:2]].setdefault(one[4], one)
    called = (name if name and by == "name" else _number(person) for person, name in sorted(files))
    places = {}
    for folder, (_, of) in zip(safe_names(called, MANIFEST, ending=False), sorted(files.items()), strict=True):
        names = safe_names(readable(PurePath(file.relative).name) for file in sorted(of))
        places[folder] = dict(zip(names, (of[file] for file in sorted(of)), strict=True))
    return places


def manifest(places: dict[str, dict[str, Shown]]) -> bytes:
    """A csv that says whence each file is."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    faces = any(face is not None for files in places.values() for _, _, _, face, _ in files.values())
    writer.writerow(MANIFEST_COLUMNS + FACE_COLUMNS * faces)
    for folder, files in places.items():
        for name, (person, called, frame, face, file) in files.items():
            row = tuple(map(csv_cell, (folder, name, str(person), called, readable(file.source), file.name)))
            writer.writerow(row + (frame, face) * faces)
    return text.getvalue().encode()


@dataclass(slots=True)
class _Job:
    """One export; counts: how many files each folder has."""

    store: Store
    out: OutputFolder
    options: ExportOptions
    progress: Progress
    counts: dict[str, int] = field(default_factory=dict)

    def folders(self) -> None:
        shown: list[Shown] = []
        problems: dict[PictureFile, str] = {}
        for person, name, frame, face, held in files_of_people(self.store):
            if held.file not in problems:
                problems[held.file] = held.changed
                if not problems[held.file] and self.options.how == "copy" and held.file.is_recording:
                    problems[held.file] = "a recording, which is linked only: pass --how hardlink or symlink"
            if not problems[held.file]:
                shown.append((person, name, frame, face, held.file))
        self.out.left_out.extend(sorted((file.name, why) for file, why in problems.items() if why))
        places = plan(shown, by=self.options.by)
        self.counts = {folder: len(files) for folder, files in places.items()}
        # The manifest first: it tells whether what is there is of this very export.
        self.out.put(MANIFEST, manifest(places))
        if self.out.in_the_way:
            problem = f"{self.out.folder} holds an export of another state of the library, or of other options."
            raise WriteError(problem, f"Choose another folder, or take {MANIFEST} away: files are never overwritten.")
        every = [(os.path.join(folder, name), one[4]) for folder, of in places.items() for name, one in of.items()]  # noqa: PTH118
        for done, (name, file) in enumerate(every):
            if done % 1000 == 0:
                self.progress("write", done, len(every))
            self.out.attempt(name, partial(self.out.bring, name, file.path, self.options.how))
        self.progress("write", len(every), len(every))

    def labels(self, labels: Path) -> None:
        from unmingle.evaluation.scores import fill_in

        faces = faces_table(self.store)
        filled = fill_in(labels, self.options.label_options or LabelOptions(), faces)
        self.out.put(safe_name(f"{labels.stem}.xlsx"), filled_workbook(filled.rows, new=filled.new))
        self.out.left_out += [(name, "not in the library, or not the only one so called") for name in filled.missing]
        self.out.left_out += [(f"sheet {title!r}", "not read: its headings are others") for title in filled.unread]

    def regions(self) -> None:
        known = list(pictures(self.store))
        found = self._wanted(known)
        stems = Counter(picture.held.file.path.with_suffix("") for picture in known)
        with ExitStack() as stack, quiet_decoders():
            tool = stack.enter_context(xmp.ExifTool()) if self.options.embed else None
            for done, (name, picture, faces) in enumerate(found):
                self.progress("write", done, len(found))
                file = picture.held.file
                regions = [(face.name, area) for face, area in faces]
                alone = stems[file.path.with_suffix("")] == 1
                self.out.attempt(file.name, partial(self._write_xmp, picture, regions, name, tool, alone=alone))
            self.progress("write", len(found), len(found))

    def coco(self) -> None:
        """Write who is in the pictures as one file, in the format of COCO (cocodataset.org, "Data format").

        A category is a person, called by name or by number; faces of nobody are one category. Boxes are of the upright
        picture: left, top, width, height in pixels, cut off at its border.
        """
        images: list[dict[str, object]] = []
        annotations: list[dict[str, object]] = []
        people: dict[int, str] = {}
        for name, picture, faces in self._wanted(pictures(self.store)):
            across, down = picture.width, picture.height
            image = len(images) + 1
            images.append({"id": image, "file_name": readable(name), "width": across, "height": down})
            for face, (x, y, width, height) in faces:
                person = face.person or 0
                people[person] = face.name or (_number(person) if person else "nobody")
                sides = ((x - width / 2) * across, (y - height / 2) * down, width * across, height * down)
                box = [round(side, 2) for side in sides]
                row = {"id": len(annotations) + 1, "image_id": image, "category_id": person, "iscrowd": 0}
                annotations.append({**row, "bbox": box, "area": round(box[2] * box[3], 2)})
        if images:
            rows = [{"id": row, "name": name, "supercategory": "person"} for row, name in sorted(people.items())]
            content = {"images": images, "annotations": annotations, "categories": rows}
            self.out.attempt(COCO, partial(self.out.put, COCO, json.dumps(content, ensure_ascii=False).encode()))

    def _wanted(self, known: Iterable[Picture]) -> list[tuple[str, Picture, list[tuple[FileFace, Area]]]]:
        """Pictures with faces that are wanted, where each is below the export's folder, and their upright areas."""
        every = self.options.faces == "all"
        found = []
        for picture in known:
            areas = [(face, xmp.clip(face.box, picture.width, picture.height)) for face in picture.faces]
            faces = [(face, area) for face, area in areas if area and face.counts and (face.name or every)]
            if faces:
                found.append((picture, faces))
        roots = sorted({picture.held.file.source for picture, _ in found})
        # With one source the tree is that source's; of several, each has a folder called like it.
        below = dict(zip(roots, tails(roots) if len(roots) > 1 else [""], strict=False))
        return [
            (os.path.join(below[picture.held.file.source], picture.held.file.relative), picture, faces)  # noqa: PTH118
            for picture, faces in found
        ]

    def _write_xmp(
        self,
        picture: Picture,
        upright: Sequence[tuple[str, Area]],
        name: str,
        tool: xmp.ExifTool | None,
        *,
        alone: bool,
    ) -> None:
        """Write the regions of a picture; alone: no other is called so before its ending."""
        if picture.held.changed:
            raise PictureError(picture.held.changed)
        path = picture.held.file.path
        stored = read_stored(path)
        if stored.upright_size != (picture.width, picture.height):
            raise PictureError("not as large as when its faces were found: run unmingle cluster again")
        ours = [(called, to_stored(area, stored.orientation)) for called, area in upright]
        regions = [Region(called, FACE, area) for called, area in ours]
        has: set[Schema] = set()  # lists in other schemas than MWG's stay as they are
        if tool is not None:
            # The regions that the picture has already stay, but for those of the faces that are written anew in MWG's.
            others = [other for packet in stored.packets for other in read_packet(packet).regions]
            regions += [
                other
                for other in others
                if other.area is not None
                and other.schema == "MWG"
                and (not other.is_face or all(overlap(other.area, area) < LEAST_OVERLAP for _, area in ours))
            ]
            has = {other.schema for other in others} - {"MWG"}
        packet = xmp.packet(
            regions,
            width=stored.width,
            height=stored.height,
            orientation=stored.orientation,
            schemas=[schema for schema in SCHEMAS if schema not in has],
        )
        sidecar = xmp.sidecar(name)
        if tool is not None:
            self.out.make(name, partial(tool.embed, path, packet, ending=ENDINGS.get(stored.format, "")))
        elif sidecar == name + xmp.ENDING or alone:
            self.out.put(sidecar, packet)
        else:
            raise PictureError("its name is too long for a sidecar of its own: pass --embed")


def _number(person: int) -> str:
    return f"person-{person:04}"


def save_crops(store: Store, folder: Path, progress: Progress) -> int:
    """Cut out every sighting of every recording; see `Library.save_crops`."""
    check_outside(folder, walked_folders(store))
    # By recording and frame: numbers and boxes of the faces.
    sightings: defaultdict[int, defaultdict[int, list[tuple[int, F32]]]] = defaultdict(lambda: defaultdict(list))
    for track in tracks(store):
        seen = track.sightings
        for frame, number, box in zip(seen.frames.tolist(), seen.numbers.tolist(), seen.boxes, strict=True):
            sightings[track.recording][frame].append((number, box))
    recordings = screen_times(store)
    names = distinct(str(PurePosixPath(one.file).with_suffix("")) for one in recordings)
    before, total = 0, sum(int(one.duration) for one in recordings)
    written: list[Path] = []
    failed = []
    for one, name in zip(recordings, names, strict=True):
        try:
            seen_in = sightings[one.row]
            with Recording(file_of_recording(store, one.row).path) as recording:
                # An earlier version may have read it smaller, and counted its times from elsewhere.
                sides = recording.info.width / one.width, recording.info.height / one.height
                larger = np.array([*sides, *sides], np.float32)
                for frame in recording.numbered(np.array(sorted(seen_in), np.int64)):
                    progress("write", before + int(frame.time), total)
                    for number, box in seen_in.get(frame.number, ()):
                        file = folder / f"{name}_{frame.number:08}_{number}.jpg"
                        check_inside(folder, file)
                        write_atomically(file, _crop(frame.pixels, box * larger, recording.info.aspect))
                        written.append(file)
        except PictureError as error:
            failed.append(f"{one.file} ({error.problem})")
        before += int(one.duration)
    sync_all({folder, *written} if written else ())
    progress("write", total, total)
    if failed:
        raise SourceError(
            f"{counted(len(written), 'crop was', 'crops were')} saved, and none, or not all, of {', '.join(failed)}.",
            "Put these recordings back as they were, or leave --save-crops out.",
        )
    return len(written)


def _crop(picture_hw3: U8, box: F32, aspect: float) -> bytes:
    left, top, width, height = box.tolist()
    rows, columns = picture_hw3.shape[:2]
    low = np.clip([left - MARGIN * width, top - MARGIN * height], 0, [columns - 1, rows - 1]).astype(int)
    high = np.clip([left + (1 + MARGIN) * width, top + (1 + MARGIN) * height], low + 1, [columns, rows]).astype(int)
    part = as_shown(picture_hw3[low[1] : high[1], low[0] : high[0]], aspect)
    _, jpeg = cv2.imencode(".jpg", part[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return bytes(jpeg)

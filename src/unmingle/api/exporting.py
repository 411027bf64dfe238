"""A library's results as others want them: folders, tables, a filled workbook, regions in XMP."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Literal

from unmingle.errors import PictureError, SettingsError
from unmingle.export import folders, xmp
from unmingle.export.embed import ExifTool
from unmingle.export.naming import safe
from unmingle.export.placing import Placer
from unmingle.export.tables import as_files, filled_workbook
from unmingle.library.intervals import watched
from unmingle.library.portable import files_of_people, pictures, walked_folders
from unmingle.library.tables import FACES, faces_table, intervals_table, people_table, recordings_table
from unmingle.sources.images import quiet_decoders, readable
from unmingle.sources.names import distinct
from unmingle.sources.orientation import to_stored
from unmingle.sources.regions import FACE, LEAST_OVERLAP, Region, overlap, read_packet, read_stored

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from unmingle.evaluation.labels import LabelOptions
    from unmingle.export.folders import By
    from unmingle.export.placing import How
    from unmingle.library.portable import Picture
    from unmingle.library.store import Store
    from unmingle.progress import Progress
    from unmingle.sources.regions import Stored

Target = Literal["folders", "csv", "xlsx", "parquet", "json", "xmp"]
# Whose faces get a region: those of people with a name, or all, of whom the others have none.
WhichFaces = Literal["named", "all"]


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What an export is like; each part counts for some targets only.

    by:       folders: what they are called by.
    how:      folders: whether files are copied or linked. Recordings are linked only, since copies may be vast.
    faces:    xmp: whose faces get a region.
    embed:    xmp: into copies of the pictures, instead of beside them.
    labels:   xlsx: a workbook or csv of labels, into a copy of which the found people are filled in.
    label_options: how that is read.
    """

    by: By = "name"
    how: How = "copy"
    faces: WhichFaces = "named"
    embed: bool = False
    labels: Path | None = None
    label_options: LabelOptions | None = None


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export did.

    destination: the folder.
    written:     files that were written, or would be in a dry run.
    there:       files that were there already, with the same content.
    in_the_way:  names in the folder that something else has; it was left as it is.
    left_out:    (file, why) of files that could not be exported.
    folders:     (folder, how many files) of each person, for folders.
    """

    destination: str
    written: int
    there: int
    in_the_way: tuple[str, ...]
    left_out: tuple[tuple[str, str], ...]
    folders: tuple[tuple[str, int], ...] = ()


def export(
    store: Store,
    recipe: str,
    to: Target,
    destination: Path,
    options: ExportOptions,
    *,
    dry_run: bool,
    progress: Progress,
) -> Exported:
    """See `Library.export`."""
    destination = destination.expanduser().absolute()
    _check_destination(store, destination)
    job = _Job(store, recipe, Placer(destination, dry_run), options, progress)
    if to == "folders":
        job.folders()
    elif to == "xmp":
        job.xmp()
    elif options.labels is not None:
        job.labels(options.labels)
    else:
        for name, content in as_files(tables(store, recipe), to).items():
            job.placer.put(name, content)
    placer = job.placer
    told = (placer.written, placer.there, tuple(placer.in_the_way), tuple(job.left_out))
    return Exported(str(destination), *told, tuple(job.counts.items()))


def tables(store: Store, recipe: str) -> dict[str, pl.DataFrame]:
    """The library's tables by name, those of recordings only if there are any."""
    faces = faces_table(store, recipe)
    people = people_table(faces, store)
    found = {"faces": faces.select(list(FACES)), "people": people}
    recordings = watched(store, recipe)
    if recordings:
        names = dict(people.select("person", "name").iter_rows())
        found |= {"recordings": recordings_table(recordings), "intervals": intervals_table(recordings, names)}
    return found


def _check_destination(store: Store, destination: Path) -> None:
    """Refuse to write where the next run would find copies of what it knows, or where the library lives."""
    real = destination.resolve()
    if real.is_relative_to(store.folder.resolve()):
        raise SettingsError(f"{destination} is inside the library.", "Choose a folder outside of it.")
    for source in walked_folders(store):
        if real.is_relative_to(Path(source).resolve()):
            raise SettingsError(
                f"{destination} is inside {readable(source)}, where the library's pictures are.",
                "Choose a folder outside of it: the next unmingle cluster would take the export for pictures.",
            )
    if destination.exists() and not destination.is_dir():
        raise SettingsError(f"{destination} is a file.", "An export needs a folder: choose another name.")


@dataclass(slots=True)
class _Job:
    """One export."""

    store: Store
    recipe: str
    placer: Placer
    options: ExportOptions
    progress: Progress
    left_out: list[tuple[str, str]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def folders(self) -> None:
        shown, asked = [], {}
        for person, name, held in files_of_people(self.store, self.recipe):
            if held.file not in asked:
                asked[held.file] = held.changed
                if not asked[held.file] and held.file.is_recording and self.options.how == "copy":
                    asked[held.file] = "a recording, which is linked only: pass --how hardlink or symlink"
            if not asked[held.file]:
                shown.append(folders.Shown(person, name, held.file.source, held.file.relative))
        self.left_out.extend(sorted((file.name, why) for file, why in asked.items() if why))
        places = folders.plan(shown, by=self.options.by)
        for place in places:
            self.counts[place.folder] = self.counts.get(place.folder, 0) + 1
        folders.put_in_folders(places, self.placer, self.options.how, progress=self.progress)

    def labels(self, labels: Path) -> None:
        from unmingle.evaluation.filled import fill_in
        from unmingle.evaluation.labels import LabelOptions

        faces = faces_table(self.store, self.recipe)
        filled = fill_in(labels, self.options.label_options or LabelOptions(), faces)
        self.placer.put(safe(f"{labels.stem}.xlsx"), filled_workbook("labels", filled.rows, new=filled.new))
        self.left_out.extend((name, "not in the library, or not the only one so called") for name in filled.missing)

    def xmp(self) -> None:
        found = [(picture, faces) for picture in pictures(self.store, self.recipe) if (faces := self._named(picture))]
        roots = sorted({picture.held.file.source for picture, _ in found})
        # With one source the tree is that source's; of several, each has a folder called like it.
        below = dict(zip(roots, distinct(PurePath(root).name or "root" for root in roots), strict=True))
        with ExitStack() as stack, quiet_decoders():
            tool = stack.enter_context(ExifTool()) if self.options.embed else None
            for done, (picture, faces) in enumerate(found):
                self.progress("write", done, len(found))
                file = picture.held.file
                name = os.path.join(*[below[file.source]] * (len(roots) > 1), file.relative)  # noqa: PTH118
                try:
                    self._write(picture, faces, name, tool)
                except PictureError as error:
                    self.left_out.append((file.name, error.problem))
            self.progress("write", len(found), len(found))

    def _named(self, picture: Picture) -> list[Region]:
        """The regions of a picture, upright."""
        regions = []
        for face in picture.faces:
            area = xmp.clip(face.box, picture.width, picture.height)
            if area and face.counts and (face.name or self.options.faces == "all"):
                regions.append(Region(face.name, FACE, area))
        return regions

    def _write(self, picture: Picture, upright: Sequence[Region], name: str, tool: ExifTool | None) -> None:
        if picture.held.changed:
            raise PictureError(picture.held.changed)
        path = picture.held.file.path
        stored = read_stored(path)
        if stored.upright_size != (picture.width, picture.height):
            raise PictureError("not as large as when its faces were found: run unmingle cluster again")
        regions = [
            Region(one.name, one.kind, to_stored(one.area, stored.orientation))
            for one in upright
            if one.area is not None
        ]
        if tool is not None:
            regions += _others(stored, regions)
        size = {"width": stored.width, "height": stored.height}
        packet = xmp.packet(regions, **size, orientation=stored.orientation)
        if tool is None:
            self.placer.put(name + xmp.ENDING, packet)
        else:
            self.placer.make(name, partial(tool.embed, path, packet))


def _others(stored: Stored, regions: Sequence[Region]) -> list[Region]:
    """The regions that a picture has already, but for those of the faces that are written anew."""
    ours = [one.area for one in regions if one.area is not None]
    return [
        region
        for packet in stored.packets
        for region in read_packet(packet).regions
        if region.area is not None
        and (region.kind not in (FACE, "") or all(overlap(region.area, area) < LEAST_OVERLAP for area in ours))
    ]

"""What goes out of a library to other programs, and the names that come in from them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, get_args

from unmingle.api.deciding import Deciding
from unmingle.api.recipes import current
from unmingle.decisions.named_faces import Conflicts
from unmingle.files import user_path
from unmingle.progress import silent
from unmingle.settings import one_of

if TYPE_CHECKING:
    from unmingle.exchange.exporting import Exported, ExportOptions, Target
    from unmingle.exchange.importing import Imported
    from unmingle.progress import Progress


class Exchanging(Deciding):
    """The exports and imports of a library."""

    __slots__ = ()

    def export(
        self,
        to: Target,
        destination: str | Path,
        options: ExportOptions | None = None,
        *,
        dry_run: bool = False,
        progress: Progress = silent,
    ) -> Exported:
        """Write results for other programs: folders of pictures, tables, or regions in XMP; see docs/guides/export.md.

        Nothing in `destination` is ever overwritten, and originals are never changed. What is there already with the
        same content counts as done, so that a stopped export can be repeated.

        Args:
            to: "folders", "csv", "xlsx", "parquet", "json", or "xmp".
            destination: a folder, made if it isn't there.
            options: what it is like.
            dry_run: write nothing, only tell.
            progress: told while files are written.

        Raises:
            SettingsError: the destination is inside the library or its pictures, or ExifTool is needed and missing.
            WriteError: the folder can't be written, the disk is full, or another export is there.
            LabelsError: the labels to fill in can't be understood.
        """
        from unmingle.exchange.exporting import ExportOptions, export

        with self._reading() as store:
            chosen = options or ExportOptions()
            return export(store, current(store), to, user_path(destination), chosen, dry_run=dry_run, progress=progress)

    def import_names(
        self, *sources: str | Path, conflicts: Conflicts = "keep", progress: Progress = silent
    ) -> Imported:
        """Take in the names that other programs gave to faces, as decisions that can be undone.

        Args:
            sources: XMP files, pictures with XMP in them, folders of both, or tables with the columns file and name.
            conflicts: of a face that has another name in the library: "keep" that, or "take" what is imported.
            progress: told while files are read.

        Returns:
            What was done, and every name that was not given, with the reason.

        Raises:
            SourceError: a source is missing, or there is nothing to read in it.
            LabelsError: a table has no such columns.
            LibraryError: the library can't be used.
        """
        from unmingle.exchange.importing import import_names

        one_of("conflicts", conflicts, get_args(Conflicts))
        with self._deciding() as store:
            done = import_names(
                store,
                current(store),
                self._service,
                tuple(map(user_path, sources)),
                conflicts=conflicts,
                progress=progress,
            )
        if self.views == "at once" and done.decisions:
            self.write_views()
        return done

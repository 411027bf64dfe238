"""Embed labelled data sets with the program itself, for the other benchmarks of this folder.

    python benchmarks/grouping/embed.py --data DATA -o FOLDER johns sitcom umist meeting pins_a lfw_a

DATA holds one folder a data set. Where that has `annotations.xlsx` and a folder `faces`, the workbook says who is who;
elsewhere the folders do. For each set NAME, FOLDER/NAME.npz holds the faces that the program would group, each once
however many copies of its picture there are:

vectors   (n, 128) float32, unit vectors of SFace
labels    (n,) str, the person, or "?" where the labels don't say: of several faces in a picture they mean the main one
files     (n,) str, the picture's file, relative to the data set
pictures  (n,) int64, equal for faces of one picture

Libraries are kept with --libraries; then a second run takes from them what is there. Counts on stderr.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import unmingle
from unmingle.store.face_rows import faces_to_group
from unmingle.store.result_tables import faces_table
from unmingle.store.sqlite import open_to_read

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmingle.store.face_rows import StoredFaces

    Strings = NDArray[np.str_]

UNKNOWN = "?"


def source_and_labels(data: Path, name: str) -> tuple[Path, Path | str]:
    """The pictures of a data set and what labels them."""
    folder = data / name
    if (folder / "annotations.xlsx").is_file():
        return folder / "faces", folder / "annotations.xlsx"
    return folder, "folders"


def labels_by_place(library: unmingle.Library, labels: Path | str) -> dict[tuple[str, str, int], str]:
    """The label of each scored face by source, file and number in its picture."""
    faces = library.evaluate(labels).faces.drop_nulls("face")
    return {
        (source, file, face): label for source, file, face, label in faces["source", "file", "face", "label"].rows()
    }


def files_and_labels(folder: Path, known: dict[tuple[str, str, int], str]) -> tuple[StoredFaces, Strings, Strings]:
    """The faces to be grouped, and the file and the label of each; of copies the first that has a label."""
    with open_to_read(folder) as store:
        faces, table = faces_to_group(store), faces_table(store)
    named: dict[int, tuple[str, str]] = {}
    for source, file, face, row in table.select("source", "file", "face", "id").drop_nulls().rows():
        label = known.get((source, file, face), UNKNOWN)
        if row not in named or (named[row][1] == UNKNOWN and label != UNKNOWN):
            named[row] = (file, label)
    files, labels = zip(*(named[int(row)] for row in faces.ids), strict=True)
    return faces, np.array(files), np.array(labels)


def embed(source: Path, labels: Path | str, folder: Path, destination: Path) -> str:
    """Make or go on with a library in `folder`, and write its faces to `destination`; returns the counts."""
    library = unmingle.open(folder)
    library.add(source)
    library.cluster(sheets=0)
    faces, files_n, labels_n = files_and_labels(folder, labels_by_place(library, labels))
    np.savez(destination, vectors=faces.vectors, labels=labels_n, files=files_n, pictures=faces.pictures)
    scored = labels_n != UNKNOWN
    return f"{len(labels_n)} faces, {scored.sum()} with a label, {len(np.unique(labels_n[scored]))} people"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data = os.environ.get("UNMINGLE_DATA")
    parser.add_argument("--data", type=Path, default=data and Path(data), required=data is None)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--libraries", type=Path, help="keep the libraries here")
    parser.add_argument("sets", nargs="+")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        for name in options.sets:
            source, labels = source_and_labels(options.data, name)
            library = (options.libraries or Path(temporary)) / name
            counts = embed(source, labels, library, options.output / f"{name}.npz")
            sys.stderr.write(f"{name}: {counts}\n")


if __name__ == "__main__":
    main()

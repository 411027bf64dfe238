"""How many people of an album are named rightly, where pictures say who is in them, and not where.

Made-up albums, and such of the people of libraries: their faces, as they were found and grouped, put together into
pictures. A library's labels are the folders of its pictures. JSON on stdout, for each: albums, people who are named in
ten pictures that show them and how many of these get their name; names that are sure, and how many of these are wrong.

    python benchmarks/photo_names.py [--albums 40] [LIBRARY ...]
"""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from pathlib import Path

import unmingle
from madeup.albums import album
from unmingle.exchange.importing import SURE
from unmingle.exchange.photo_names import who_is_who

OFTEN = 10  # pictures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("libraries", nargs="*", type=Path, metavar="LIBRARY")
    parser.add_argument("--albums", type=int, default=40)
    given = parser.parse_args()
    results = {"made up": measure(given.albums)}
    for library in given.libraries:
        faces = defaultdict(list)
        for file, face, person in unmingle.open(library).faces.select("file", "face", "person").iter_rows():
            if face == 0:
                faces[file.rpartition("/")[0]].append(person)
        results[library.name] = measure(given.albums, {name: ids for name, ids in faces.items() if len(ids) > 1})
    print(json.dumps(results, indent=1))


def measure(albums: int, faces: dict[str, list[int | None]] | None = None) -> dict[str, float]:
    """Over so many albums."""
    found = Counter({"albums": albums, "often": 0, "right": 0, "sure": 0, "wrong": 0})
    for seed in range(1000, 1000 + albums):
        shown, tagged, truth = album(seed, faces)
        sure = {person: one.name for person, one in who_is_who(shown, tagged, {}).items() if one.probability >= SURE}
        pictures = Counter(
            person for people, tags in zip(shown, tagged, strict=True) for person in people if truth.get(person) in tags
        )
        often = [person for person, count in pictures.items() if count >= OFTEN]
        found["often"] += len(often)
        found["right"] += sum(sure.get(person) == truth[person] for person in often)
        found["sure"] += len(sure)
        found["wrong"] += sum(truth.get(person) != name for person, name in sure.items())
    return dict(found)


if __name__ == "__main__":
    main()

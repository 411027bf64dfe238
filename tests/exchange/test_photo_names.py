"""Who is who, from who is in which picture: made-up albums, by their truth."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from madeup.albums import album
from unmingle.exchange.importing import SURE
from unmingle.exchange.photo_names import who_is_who
from unmingle.exchange.region_sources import read_tags, tagged_files

if TYPE_CHECKING:
    from pathlib import Path


def test_who_is_named_in_ten_pictures_is_found_and_hardly_one_in_a_thousand_sure_names_is_wrong() -> None:
    often = right = sure = wrong = 0
    for seed in range(4):
        shown, tagged, truth = album(seed)
        guesses = who_is_who(shown, tagged, {})
        pictures = Counter(
            person for people, tags in zip(shown, tagged, strict=True) for person in people if truth.get(person) in tags
        )
        certain = {person: one.name for person, one in guesses.items() if one.probability >= SURE}
        sure += len(certain)
        wrong += sum(truth.get(person) != name for person, name in certain.items())
        ten = [person for person in truth if pictures[person] >= 10]
        often += len(ten)
        right += sum(certain.get(person) == truth[person] for person in ten)
    assert right >= 0.98 * often > 40
    assert wrong <= 0.005 * sure


def test_who_is_always_together_is_nobody_for_sure_until_one_picture_tells() -> None:
    shown, tagged = [{1, 2}] * 10 + [{3}] * 10, [{"Ada", "Ben"}] * 10 + [{"Cem"}] * 10
    guesses = who_is_who(shown, tagged, {})
    assert all(guesses[person].probability <= 0.5 for person in (1, 2))
    assert guesses[3].name == "Cem"
    assert guesses[3].probability > SURE
    told = who_is_who([*shown, *[{1}] * 5], [*tagged, *[{"Ada"}] * 5], {})
    assert {person: one.name for person, one in told.items()} == {1: "Ada", 2: "Ben", 3: "Cem"}
    assert all(one.probability > SURE for one in told.values())
    by_one = who_is_who(shown, tagged, {1: "Ben"})
    assert by_one[2].name == "Ada"
    assert by_one[2].probability > SURE
    assert 1 not in by_one


def test_nothing_follows_from_nothing() -> None:
    assert who_is_who([], [], {}) == {}
    assert who_is_who([set()], [{"Ada"}], {}) == {}
    assert who_is_who([{1}], [set()], {}) == {}


def test_sidecars_of_takeout_are_found_as_it_clips_their_names(tmp_path: Path) -> None:
    long = "A photograph of the whole family on the terrace 2019.jpg"
    short = ["Cake.jpg", "Cake(1).jpg"]
    pictures = ["IMG_1.jpg", "IMG_1(1).jpg", "IMG_1-bearbeitet.jpg", "Küche (2).jpg", long, "other.jpg", *short]
    for name in pictures:
        (tmp_path / name).touch()
    for sidecar, expected in {
        "IMG_1.jpg.supplemental-metadata.json": {"IMG_1.jpg", "IMG_1-bearbeitet.jpg"},
        "IMG_1.jpg.json": {"IMG_1.jpg", "IMG_1-bearbeitet.jpg"},
        "IMG_1.jpg.supplemental-metadata(1).json": {"IMG_1(1).jpg"},
        "IMG_1.jpg(1).json": {"IMG_1(1).jpg"},
        "Küche (2).jpg.supplemental-metadata.json": {"Küche (2).jpg"},
        f"{long[:46]}.json": {long},
        "Cake.supplemental-metadata.json": {"Cake.jpg"},  # called without an ending
        "Cake.supplemental-metadata(1).json": {"Cake(1).jpg"},
        "Cake.json": {"Cake.jpg"},
        "metadata.json": set(),
    }.items():
        assert set(tagged_files(tmp_path / sidecar)) == expected, sidecar


def test_only_sidecars_have_tags(tmp_path: Path) -> None:
    for text, expected in {
        '{"title": "a.jpg", "people": [{"name": "Ada"}, {"name": "Ada"}, {"name": " "}, {}, 3]}': ("Ada",),
        '[{"SourceFile": "/x/a.jpg", "XMP:PersonInImage": ["Ada", "_UNKNOWN_", 3]}]': ("Ada",),
        '[{"SourceFile": "/x/a.jpg", "PersonInImage": "Ada"}]': ("Ada",),
        '[{"file": "a.jpg", "name": "Ada"}]': (),
        '{"title": "Summer", "description": ""}': (),
        '{"title": "a.jpg", "people": {"name": "Ada"}}': (),
        "[" * 100_000: (),
        "\x00": (),
        "": (),
    }.items():
        path = tmp_path / "a.jpg.json"
        path.write_text(text)
        assert read_tags(path) == expected, text[:80]

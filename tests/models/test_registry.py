from __future__ import annotations

import re
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import pytest

from unmingle import modelling
from unmingle.errors import ModelError, WriteError
from unmingle.models import registry
from unmingle.models.registry import (
    CARDS,
    Calibration,
    Card,
    Intake,
    checksum,
    from_json,
    is_here,
    model_file,
    model_folder,
)

if TYPE_CHECKING:
    from pathlib import Path

MEASURED = Calibration(mean=0.02, people=0.002, faces=0.001, pairs=0.001, measured_on="300 people")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("UNMINGLE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "published.onnx"
    path.write_bytes(b"a graph")
    return path


def mine(file: Path, name: str = "mine") -> Card:
    return Card(
        name=name,
        purpose="face embedding",
        dimension=32,
        input="faces",
        licence="",
        commercial=None,
        source="",
        file=f"{name}.onnx",
        sha256=checksum(file),
        intake=Intake(colour="bgr"),
        calibration=MEASURED,
    )


@pytest.mark.parametrize("card", CARDS.values(), ids=lambda card: card.name)
def test_every_card_of_the_catalogue_is_complete(card: Card) -> None:
    assert re.fullmatch(r"[0-9a-f]{64}", card.sha256) or re.fullmatch(r"[0-9a-f]{32}", card.md5)
    assert card.licence
    assert card.commercial is not None
    assert card.url  # also of the packaged ones: a second source
    assert card.size or not card.package
    assert card.archive is None or re.fullmatch(r"[0-9a-f]{64}", card.archive.sha256)
    assert card.purpose.startswith("face embedding") == (card.intake is not None or bool(card.unfit))
    assert from_json(asdict(card)) == card


def test_files_stand_in_for_the_package_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: Path
) -> None:
    copies = {}
    for name in ("yunet", "sface"):
        copies[name] = tmp_path / f"{name}.fetched"
        copies[name].write_bytes(model_file(CARDS[name]).read_bytes())
    monkeypatch.setattr(registry, "find_spec", lambda package: None)
    assert "dlib" not in modelling.models_here()  # an extra: without it nothing is wrong
    for name, copy in copies.items():
        assert not is_here(CARDS[name])
        problems = {one: modelling.check_model(one).problem for one in modelling.models_here()}
        assert f"unmingle models fetch {name}" in problems[name]
        with pytest.raises(ModelError, match="its checksum should be"):
            modelling.fetch_model(name, weights=file)
        assert modelling.fetch_model(name, weights=copy) == registry.downloaded_file(CARDS[name])
        assert is_here(CARDS[name])
    assert [modelling.check_model(name).problem for name in copies] == ["", ""]
    registry.remove("sface")
    assert not is_here(CARDS["sface"])


def test_an_added_model_is_found_checked_and_removed(file: Path) -> None:
    card = mine(file)
    registry.put(card, file)
    assert registry.card("mine") == card == registry.all_cards()["mine"]
    assert is_here(card)
    assert model_file(card).read_bytes() == b"a graph"
    model_file(card).write_bytes(b"another")
    with pytest.raises(ModelError, match="has the checksum"):
        model_file(card)
    registry.remove("mine")
    assert list(model_folder().iterdir()) == []
    with pytest.raises(ModelError, match="No model is called 'mine'"):
        registry.card("mine")


def test_a_name_belongs_to_one_file(file: Path) -> None:
    registry.put(mine(file), file)
    registry.check_free("mine", "0" * 64, overwrite=True)
    registry.check_free("other", "0" * 64, overwrite=False)
    for name, problem in (
        ("mine", "There is a model mine already"),
        ("sface", "sface is a model of the catalogue, and the file is another one"),
        ("w600k_r50", "The file of a model of the catalogue is called w600k_r50.onnx"),
        ("../escape", "can't be called"),
        ("", "can't be called"),
    ):
        with pytest.raises(ModelError, match=problem):
            registry.check_free(name, "0" * 64, overwrite=False)
    with pytest.raises(ModelError, match="of the catalogue"):
        registry.check_free("buffalo_s", "0" * 64, overwrite=True)
    registry.check_free("buffalo_s", CARDS["buffalo_s"].sha256, overwrite=False)


def test_what_was_measured_here_joins_the_card_of_the_catalogue_and_nothing_else_does() -> None:
    registry.write_card(replace(CARDS["buffalo_s"], calibration=MEASURED, commercial=True, licence="anything"))
    assert registry.card("buffalo_s") == replace(CARDS["buffalo_s"], calibration=MEASURED)
    registry.write_card(replace(CARDS["buffalo_s"], calibration=MEASURED, sha256="0" * 64))
    assert registry.all_cards()["buffalo_s"] == CARDS["buffalo_s"]


def test_a_near_name_is_suggested() -> None:
    with pytest.raises(ModelError) as caught:
        registry.card("bufalo_l")
    assert "Did you mean 'buffalo_l'?" in caught.value.mend


def test_what_is_not_here_says_how_to_get_it(file: Path) -> None:
    with pytest.raises(ModelError, match="is not here") as caught:
        model_file(CARDS["buffalo_s"])
    assert "unmingle models fetch buffalo_s" in caught.value.mend
    with pytest.raises(ModelError, match="is not here") as caught:
        model_file(mine(file))
    assert "unmingle models add FILE --name mine" in caught.value.mend
    with pytest.raises(ModelError, match="is not here"):
        registry.remove("buffalo_s")
    with pytest.raises(ModelError, match="part of the installation"):
        registry.remove("sface")


def test_a_damaged_card_is_an_error_with_the_mend(file: Path) -> None:
    registry.put(mine(file), file)
    path = model_folder() / "mine.json"
    whole = path.read_text()
    odd = {"dimension": '"x"', "commercial": "1", "file": '"../a.onnx"', "intake": "[1]"}
    changed = [re.sub(rf'"{key}": ("[^"]*"|null|\d+|{{[^}}]*}})', f'"{key}": {odd[key]}', whole) for key in odd]
    assert whole not in changed
    for damage in ("{", "[]", "[" * 100_000, '{"name": "mine"}', '{"surprise": 1}', *changed):
        path.write_text(damage)
        with pytest.raises(ModelError):
            registry.card("mine")


def test_a_folder_that_cant_be_written(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setenv("UNMINGLE_CACHE", str(open_folder))
    request.getfixturevalue("ordinary_user")
    with pytest.raises(WriteError, match="can't be written"):
        registry.write_card(CARDS["buffalo_s"])


def test_licences_are_warned_of(file: Path) -> None:
    assert "not for commercial use (licence: non-commercial research" in CARDS["buffalo_s"].licence_warning
    assert "Nobody said under which terms mine may be used" in mine(file).licence_warning
    assert replace(CARDS["buffalo_s"], commercial=True).licence_warning == ""

"""The seed's recipe end to end, with stand-in weights in the layout of the official file."""

from __future__ import annotations

import functools
import hashlib
import http.server
import json
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import h5py
import numpy as np
import polars as pl
import pytest

from unmingle.demo import write_meeting
from unmingle.models import registry
from unmingle.models.registry import VGG16_NOTOP
from unmingle.models.vgg16 import prepared_vgg16

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.command import Command

    from unmingle.demo import Meeting

WIDTHS = ((3, 64, 64), (64, 128, 128), (128, 256, 256, 256), (256, 512, 512, 512), (512, 512, 512, 512))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A convolution-only weight file (59 MB) with random weights."""
    path = tmp_path_factory.mktemp("weights") / "notop.h5"
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        for block, widths in enumerate(WIDTHS, 1):
            for i in range(len(widths) - 1):
                name = f"block{block}_conv{i + 1}"
                shape = (3, 3, widths[i], widths[i + 1])
                kernel = rng.standard_normal(shape, np.float32) * np.sqrt(2 / np.prod(shape[:3]), dtype=np.float32)
                file[f"{name}/{name}_W_1:0"] = kernel
                file[f"{name}/{name}_b_1:0"] = np.zeros(shape[3], np.float32)
    return path


@pytest.fixture(scope="module")
def meeting(tmp_path_factory: pytest.TempPathFactory) -> Meeting:
    """A very small one: the network is a large one."""
    return write_meeting(tmp_path_factory.mktemp("meeting"), people=2, frames=2)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One in which the weights are prepared once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNMINGLE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.mark.usefixtures("cache")
def test_the_classic_recipe_sorts_whole_pictures(unmingle: Command, meeting: Meeting, base: Path) -> None:
    words = ("cluster", meeting.faces, "-o", "out", "--recipe", "classic", "--features", "pool5", "--weights", base)
    refused = unmingle(*words, "--people", "3")
    assert refused.code == 1
    assert "--any-weights" in refused.err
    done = unmingle(*words, "--any-weights", "--people", "3", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["people"] == 3
    faces = pl.read_csv(unmingle.folder / "out" / "faces.csv")
    # The whole picture is the face, in every picture: the seed had no detector.
    assert faces.height == len(meeting.crops)
    assert set(faces["status"]) == {"clustered"}
    assert set(faces["width"]) == {152.0}
    again = unmingle(*words, "--any-weights", "--labels", meeting.labels)
    assert "nothing new to embed" in again.out
    assert "in 2 people" in again.out
    score = unmingle("evaluate", "out", "--labels", meeting.labels, "--json")
    assert json.loads(score.out)["scores"]["left_out"] == 0


@pytest.mark.usefixtures("cache")
def test_one_library_never_mixes_recipes(unmingle: Command, meeting: Meeting, base: Path) -> None:
    assert unmingle("cluster", meeting.faces, "-o", "out", "-q").code == 0
    faces = pl.read_csv(unmingle.folder / "out" / "faces.csv").drop("person")
    words = ("--recipe", "classic", "--features", "pool5", "--weights", base, "--any-weights", "--people", "2", "-q")
    assert unmingle("cluster", meeting.faces, "-o", "out", *words).code == 0
    back = unmingle("cluster", meeting.faces, "-o", "out")
    assert "nothing new to embed" in back.out
    assert pl.read_csv(unmingle.folder / "out" / "faces.csv").drop("person").equals(faces)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def served(base: Path) -> Iterator[str]:
    """The address of the weight file on a local port."""
    handler = functools.partial(Quiet, directory=str(base.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/{base.name}"
        server.shutdown()


def test_fetched_weights_are_found_by_the_recipe(
    tmp_path: Path, base: Path, served: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNMINGLE_CACHE", str(tmp_path / "cache"))
    checksum = hashlib.md5(base.read_bytes(), usedforsecurity=False).hexdigest()
    card = replace(VGG16_NOTOP, url=served, md5=checksum, size=base.stat().st_size)
    monkeypatch.setattr("unmingle.models.vgg16.VGG16_NOTOP", card)
    assert not registry.is_here(card)
    seen: list[int] = []
    path = registry.fetch_card(card, on_progress=lambda done, _: seen.append(done))
    assert path.read_bytes() == base.read_bytes()
    assert path.is_relative_to(tmp_path / "cache")
    assert seen[-1] == card.size
    graph, name = prepared_vgg16(None, features="pool5")
    assert name == checksum
    assert graph.stat().st_size > 50_000_000


def test_models_list_shows_licences(unmingle: Command) -> None:
    done = unmingle("models", "list", "--json")
    cards = {card["name"]: card for card in json.loads(done.out)}
    assert cards["sface"]["licence"] == "Apache-2.0"
    assert cards["sface"]["here"] is True
    assert cards["vgg16"]["md5"] == "64373286793e3c8b2b4e3219cbf3544b"
    assert "CC-BY-4.0" in unmingle("models", "list").out


def test_models_fetch_knows_its_names(unmingle: Command) -> None:
    done = unmingle("models", "fetch", "vgg")
    assert done.code == 1
    assert "Did you mean 'vgg16'" in done.err
    done = unmingle("models", "fetch", "sface")
    assert done.code == 0
    assert "Apache-2.0" in done.out

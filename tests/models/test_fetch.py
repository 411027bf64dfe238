"""Against a real server on this machine, which can be told to misbehave."""

from __future__ import annotations

import bz2
import contextlib
import hashlib
import io
import re
import shutil
import socket
import sys
import threading
import urllib.request
import zipfile
from dataclasses import dataclass, field, replace
from http.client import HTTPMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import pytest

from unmingle.errors import FetchError
from unmingle.models import fetch as fetching
from unmingle.models.fetch import _Redirects
from unmingle.models.registry import YUNET, Archive

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTENT = np.random.default_rng(3).bytes(700_001)  # not a multiple of the chunk
SHA256 = hashlib.sha256(CONTENT).hexdigest()
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()


@dataclass
class Behaviour:
    """What the server does; a test changes it between requests."""

    content: bytes = CONTENT
    ranges: bool = True
    cut_after: int | None = None  # bytes of the body before the connection is closed
    lengths: bool = True  # whether Content-Length is told
    status: int = 200
    location: str = ""
    asked: list[str | None] = field(default_factory=list)  # the Range of each request
    sent: int = 0


class Site(NamedTuple):
    url: str
    behaviour: Behaviour


class Handler(BaseHTTPRequestHandler):
    behaviour: Behaviour

    def do_GET(self) -> None:
        does = self.behaviour
        does.asked.append(self.headers["Range"])
        if does.location:
            self.send_response(302)
            self.send_header("Location", does.location)
            self.end_headers()
            return
        if does.status != 200:
            self.send_error(does.status)
            return
        start = self._start()
        if start is not None and start >= len(does.content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(does.content)}")
            self.end_headers()
            return
        self._send(start)

    def _start(self) -> int | None:
        does = self.behaviour
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
        if wanted is None or not does.ranges:
            return None
        return int(wanted[1])

    def _send(self, start: int | None) -> None:
        does = self.behaviour
        body = does.content[start or 0 :]
        self.send_response(200 if start is None else 206)
        if start is not None:
            self.send_header("Content-Range", f"bytes {start}-{len(does.content) - 1}/{len(does.content)}")
        if does.lengths:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        body = body[: does.cut_after]
        does.sent += len(body)
        with contextlib.suppress(ConnectionError):  # the client may go away half way
            self.wfile.write(body)

    def log_message(self, *_args: Any) -> None:
        pass


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("no_proxy", "*")
    behaviour = Behaviour()
    handler = type("TestHandler", (Handler,), {"behaviour": behaviour})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        try:
            yield Site(f"http://127.0.0.1:{server.server_port}/model.h5", behaviour)
        finally:
            server.shutdown()
            serving.join()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "models" / "model.h5"


def fetch(url: str, target: Path, *, on_progress: fetching.OnBytes | None = None, **known: Any) -> Path:
    """What a card brings that says no more than that."""
    return fetching.fetch(replace(YUNET, **{"sha256": "", "size": 0, "url": url, **known}), target, on_progress)


def left_over(target: Path) -> list[str]:
    return sorted(file.name for file in target.parent.iterdir())


def cut_off(site: Site, target: Path, after: int = 300_000) -> None:
    site.behaviour.cut_after = after
    with pytest.raises(FetchError, match="cut off after 300,000 of 700,001 bytes") as caught:
        fetch(site.url, target, sha256=SHA256)
    assert "goes on where it stopped" in caught.value.mend
    assert "model.h5" not in left_over(target)
    site.behaviour.cut_after = None


def test_fetches_whole_checked_and_leaves_nothing_else(site: Site, target: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    found = fetch(
        site.url, target, sha256=SHA256.upper(), md5=MD5, size=len(CONTENT), on_progress=lambda *now: seen.append(now)
    )
    assert found == target
    assert target.read_bytes() == CONTENT
    assert left_over(target) == ["model.h5"]
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})
    assert seen[-1] == (len(CONTENT), len(CONTENT))


def test_a_right_file_is_not_fetched_again(site: Site, target: Path) -> None:
    fetch(site.url, target, sha256=SHA256)
    fetch(site.url, target, sha256=SHA256)
    assert len(site.behaviour.asked) == 1


def test_a_wrong_file_is_replaced(site: Site, target: Path) -> None:
    target.parent.mkdir()
    target.write_bytes(b"something else")
    fetch(site.url, target, sha256=SHA256)
    assert target.read_bytes() == CONTENT


def test_goes_on_where_it_was_cut_off(site: Site, target: Path) -> None:
    cut_off(site, target)
    seen: list[int] = []
    fetch(site.url, target, sha256=SHA256, on_progress=lambda done, _total: seen.append(done))
    assert target.read_bytes() == CONTENT
    assert site.behaviour.asked == [None, "bytes=300000-"]
    assert site.behaviour.sent == len(CONTENT)  # not a byte twice
    assert seen[0] > 300_000
    assert left_over(target) == ["model.h5"]


def test_cut_off_twice(site: Site, target: Path) -> None:
    cut_off(site, target)
    site.behaviour.cut_after = 100_000
    with pytest.raises(FetchError, match="cut off after 400,000 of 700,001"):
        fetch(site.url, target, sha256=SHA256)
    site.behaviour.cut_after = None
    fetch(site.url, target, sha256=SHA256)
    assert target.read_bytes() == CONTENT


def test_a_server_without_ranges_starts_over(site: Site, target: Path) -> None:
    cut_off(site, target)
    site.behaviour.ranges = False
    fetch(site.url, target, sha256=SHA256)
    assert target.read_bytes() == CONTENT


def test_a_file_that_changed_in_between_is_refused_and_then_starts_over(site: Site, target: Path) -> None:
    cut_off(site, target)
    target.with_name("model.h5.part").write_bytes(b"another file")
    with pytest.raises(FetchError, match="is not the file expected"):
        fetch(site.url, target, sha256=SHA256)
    fetch(site.url, target, sha256=SHA256)
    assert target.read_bytes() == CONTENT


def test_without_a_checksum_it_never_joins_two_tries(site: Site, target: Path) -> None:
    site.behaviour.cut_after = 300_000
    with pytest.raises(FetchError, match="cut off"):
        fetch(site.url, target)
    site.behaviour.cut_after = None
    fetch(site.url, target)
    assert site.behaviour.asked == [None, None]
    assert target.read_bytes() == CONTENT


def test_a_whole_part_is_only_checked(site: Site, target: Path) -> None:
    target.parent.mkdir()
    target.with_name("model.h5.part").write_bytes(CONTENT)
    fetch(site.url, target, sha256=SHA256, size=len(CONTENT))
    assert site.behaviour.asked == []
    assert target.read_bytes() == CONTENT


def test_a_whole_part_of_unknown_size(site: Site, target: Path) -> None:
    target.parent.mkdir()
    target.with_name("model.h5.part").write_bytes(CONTENT)
    fetch(site.url, target, sha256=SHA256)
    assert site.behaviour.sent == 0
    assert target.read_bytes() == CONTENT


def test_a_part_longer_than_the_file_starts_over(site: Site, target: Path) -> None:
    target.parent.mkdir()
    target.with_name("model.h5.part").write_bytes(CONTENT + b"more")
    fetch(site.url, target, sha256=SHA256)
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("name", ["sha256", "md5"])
def test_wrong_checksum_is_removed_and_both_are_told(site: Site, target: Path, name: str) -> None:
    right, wrong = {"sha256": SHA256, "md5": MD5}[name], "0" * len({"sha256": SHA256, "md5": MD5}[name])
    with pytest.raises(FetchError, match=f"its {name} is {right}, expected {wrong}"):
        fetch(site.url, target, **{name: wrong})  # type: ignore[arg-type]
    assert left_over(target) == []


def test_wrong_length_is_removed_and_both_are_told(site: Site, target: Path) -> None:
    with pytest.raises(FetchError, match="it has 700,001 bytes, expected 700,006"):
        fetch(site.url, target, size=len(CONTENT) + 5)
    assert left_over(target) == []


def test_length_untold_but_known(site: Site, target: Path) -> None:
    site.behaviour.lengths, site.behaviour.cut_after = False, 300_000
    with pytest.raises(FetchError, match="cut off after 300,000 of 700,001"):
        fetch(site.url, target, size=len(CONTENT))
    site.behaviour.cut_after = None
    fetch(site.url, target, size=len(CONTENT))
    assert target.read_bytes() == CONTENT


def test_not_found(site: Site, target: Path) -> None:
    site.behaviour.status = 404
    with pytest.raises(FetchError, match=r"is not there \(404\)") as caught:
        fetch(site.url, target)
    assert caught.value.mend


def test_server_in_trouble(site: Site, target: Path) -> None:
    site.behaviour.status = 503
    with pytest.raises(FetchError, match="answered 503"):
        fetch(site.url, target)


def test_nobody_there(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening: nobody else gets the port
        with pytest.raises(FetchError, match=r"can't be reached: .*refused") as caught:
            fetch(f"http://127.0.0.1:{taken.getsockname()[1]}/model.h5", target)
    assert "Check the connection" in caught.value.mend


@pytest.mark.parametrize("url", ["ftp://host/model.h5", "file:///etc/hostname", "model.h5"])
def test_only_http(url: str, target: Path) -> None:
    with pytest.raises(FetchError, match="only http and https"):
        fetch(url, target)


def test_redirection_is_followed(site: Site, target: Path) -> None:
    with ThreadingHTTPServer(
        ("127.0.0.1", 0), type("Elsewhere", (Handler,), {"behaviour": Behaviour(location=site.url)})
    ) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        try:
            fetch(f"http://127.0.0.1:{server.server_port}/", target, sha256=SHA256)
        finally:
            server.shutdown()
            serving.join()
    assert target.read_bytes() == CONTENT


def test_redirection_to_another_scheme_is_not(site: Site, target: Path) -> None:
    site.behaviour.location = "ftp://127.0.0.1/model.h5"
    with pytest.raises(FetchError, match="not safe to follow"):
        fetch(site.url, target)


def test_too_little_room_is_said_before_the_first_byte(
    site: Site, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage("/")._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    with pytest.raises(FetchError, match="disk is full"):
        fetch(site.url, target)
    assert "model.h5" not in left_over(target)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a disk that is always full")
def test_disk_full_half_way(site: Site, target: Path) -> None:
    target.parent.mkdir()
    target.with_name("model.h5.part").write_bytes(CONTENT[:300_000])
    site.behaviour.cut_after = None
    genuine = Path.open

    def full(self: Path, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        return genuine(Path("/dev/full") if mode == "ab" else self, mode, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "open", full)
        with pytest.raises(FetchError, match="disk is full") as caught:
            fetch(site.url, target, sha256=SHA256)
    assert "Make room" in caught.value.mend
    fetch(site.url, target, sha256=SHA256)
    assert target.read_bytes() == CONTENT


@pytest.mark.skipif(sys.platform == "win32", reason="another error there")
def test_a_file_where_the_folder_should_be(site: Site, tmp_path: Path) -> None:
    (tmp_path / "models").write_text("in the way")
    with pytest.raises(FetchError, match="can't be written"):
        fetch(site.url, tmp_path / "models" / "model.h5")


def test_interrupted_by_its_caller_keeps_what_came(site: Site, target: Path) -> None:
    def interrupt(_done: int, _total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(site.url, target, sha256=SHA256, on_progress=interrupt)
    fetch(site.url, target, sha256=SHA256)
    assert site.behaviour.asked[1] is not None
    assert target.read_bytes() == CONTENT


def test_redirection_never_leaves_https() -> None:
    secure = urllib.request.Request("https://host/model.h5")
    with pytest.raises(FetchError, match="leads to http://other/"):
        _Redirects().redirect_request(secure, io.BytesIO(), 302, "Found", HTTPMessage(), "http://other/")


def packed(kind: Literal["zip", "bz2"], content: bytes = CONTENT) -> tuple[bytes, Archive]:
    """An archive that holds the model, and what its card says of it."""
    if kind == "bz2":
        data = bz2.compress(content)
    else:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("pack/other.onnx", b"another model")
            archive.writestr("pack/model.h5", content)
        data = buffer.getvalue()
    return data, Archive(kind=kind, sha256=hashlib.sha256(data).hexdigest(), size=len(data), member="pack/model.h5")


@pytest.mark.parametrize("kind", ["zip", "bz2"])
def test_one_file_is_taken_out_of_an_archive(site: Site, target: Path, kind: Literal["zip", "bz2"]) -> None:
    site.behaviour.content, archive = packed(kind)
    for _ in range(2):  # the second time nothing is asked
        assert fetch(site.url, target, archive=archive, sha256=SHA256, size=len(CONTENT)) == target
    assert target.read_bytes() == CONTENT
    assert left_over(target) == ["model.h5"]
    assert len(site.behaviour.asked) == 1


def test_an_archive_goes_on_where_it_was_cut_off(site: Site, target: Path) -> None:
    site.behaviour.content, archive = packed("zip")
    site.behaviour.cut_after = 300_000
    with pytest.raises(FetchError, match="cut off after 300,000"):
        fetch(site.url, target, archive=archive, sha256=SHA256, size=len(CONTENT))
    assert "model.h5" not in left_over(target)
    site.behaviour.cut_after = None
    fetch(site.url, target, archive=archive, sha256=SHA256, size=len(CONTENT))
    assert target.read_bytes() == CONTENT
    assert site.behaviour.asked == [None, "bytes=300000-"]


def test_an_archive_that_is_not_the_one_on_the_card_is_not_opened(site: Site, target: Path) -> None:
    _, archive = packed("zip")
    site.behaviour.content, _ = packed("zip", CONTENT[::-1])
    with pytest.raises(FetchError, match="not the file expected: its sha256"):
        fetch(site.url, target, archive=archive, sha256=SHA256, size=len(CONTENT))
    assert left_over(target) == []


@pytest.mark.parametrize("member", ["pack/model.h5", "pack/missing.onnx"])
def test_an_archive_without_the_file_expected(site: Site, target: Path, member: str) -> None:
    site.behaviour.content, archive = packed("zip", CONTENT[::-1])
    wanted = Archive(kind="zip", sha256=archive.sha256, size=archive.size, member=member)
    with pytest.raises(FetchError, match=r"doesn't hold the file expected|can't be unpacked"):
        fetch(site.url, target, archive=wanted, sha256=SHA256, size=len(CONTENT))
    assert not target.exists()


@pytest.mark.parametrize("lengths", [True, False])
def test_it_stops_at_the_size_of_the_card(site: Site, target: Path, lengths: bool) -> None:
    site.behaviour.content, site.behaviour.lengths = bytes(50_000_000), lengths
    with pytest.raises(FetchError, match="more than the 5,000 bytes"):
        fetch(site.url, target, sha256=SHA256, size=5000)
    assert left_over(target) == []


@pytest.mark.parametrize("kind", ["zip", "bz2"])
def test_unpacking_stops_at_the_size_of_the_card(site: Site, target: Path, kind: Literal["zip", "bz2"]) -> None:
    site.behaviour.content, archive = packed(kind, bytes(20_000_000))
    with pytest.raises(FetchError, match=r"it has [0-9]{3},[0-9]{3} bytes, expected 5,000"):
        fetch(site.url, target, archive=archive, sha256=SHA256, size=5000)
    assert not target.exists()

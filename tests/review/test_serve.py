"""The server as a process: its address, its browser, its end."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import pytest
import requests

from unmingle.errors import LibraryError, SettingsError
from unmingle.review.serve import free_listener, serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROGRAM = """
import sys, webbrowser
from pathlib import Path
from unmingle.review.serve import serve
webbrowser.open = lambda address: print("browser", address)
serve(Path(sys.argv[1]), **eval(sys.argv[2]))
"""


class Process:
    """A server of its own; `lines` are what it says."""

    def __init__(self, folder: Path, options: str) -> None:
        words = [sys.executable, "-u", "-W", "error", "-c", textwrap.dedent(PROGRAM), str(folder), options]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def line(self, beginning: str) -> str:
        """The next line that begins so."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith(beginning):
                return line.strip()
        raise AssertionError(self.process.stderr.read() if self.process.stderr else "")

    def end(self, how: signal.Signals) -> tuple[int, str]:
        """The exit code, and what it said on standard error."""
        self.process.send_signal(how)
        _, error = self.process.communicate(timeout=30)
        return self.process.returncode, error


@pytest.fixture
def start(library_folder: Path) -> Iterator[type[Process]]:
    started: list[Process] = []

    class Started(Process):
        def __init__(self, options: str = "{}") -> None:
            super().__init__(library_folder, options)
            started.append(self)

    yield Started
    for one in started:
        one.process.kill()
        one.process.communicate()


def call_ada(session: requests.Session, origin: str) -> None:
    """Decide something."""
    name: dict[str, Any] = {"kind": "name", "person": 1, "name": "Ada"}
    assert session.post(f"{origin}/api/decisions", json=name, headers={"Origin": origin}).status_code == 200


def is_ada_there(library_folder: Path) -> bool:
    return "Ada" in (library_folder / "people.csv").read_text(encoding="utf-8")


@pytest.mark.slow
def test_it_serves_until_a_signal_and_leaves_tables_behind(start: type[Process], library_folder: Path) -> None:
    server = start()  # type: ignore[call-arg]
    address = server.line("The review page is at ").split()[-1]
    opened = server.line("browser ").split()[-1]
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\?token=[\w-]{43}", address)
    assert opened != address
    origin = address.partition("/?")[0]
    with requests.Session() as session:
        assert session.get(opened).status_code == 200
        call_ada(session, origin)
    assert requests.get(opened, timeout=10).status_code == 401  # it worked for once
    assert requests.get(address, timeout=10).status_code == 200
    assert server.end(signal.SIGTERM) == (0, "")
    assert is_ada_there(library_folder)


@pytest.mark.slow
def test_another_address_is_announced_with_what_it_means(start: type[Process], library_folder: Path) -> None:
    server = start("{'host': '0.0.0.0', 'open_browser': False}")  # type: ignore[arg-type, call-arg]
    address = server.line("The review page is at ").split()[-1]
    assert "everybody who can reach this machine" in server.line("It listens at 0.0.0.0")
    here = address.replace("0.0.0.0", "127.0.0.1")
    with requests.Session() as session:
        assert session.get(here).status_code == 200
        call_ada(session, here.partition("/?")[0])
    assert server.end(signal.SIGINT) == (0, "")
    assert is_ada_there(library_folder)


def test_a_port_that_is_taken_is_a_clear_error(library_folder: Path) -> None:
    with free_listener() as taken:
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"port {port}"):
            serve(library_folder, port=port, open_browser=False)
    for host, port in (("999.1.1.1", 0), ("127.0.0.1", 99_999), ("192.0.2.1", 0)):
        with pytest.raises(SettingsError) as caught:
            serve(library_folder, host=host, port=port, open_browser=False)
        assert caught.value.mend


def test_a_folder_without_a_library_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="no library"):
        serve(tmp_path, open_browser=False)


def test_only_this_machine_can_connect() -> None:
    with free_listener() as listener:
        assert listener.getsockname()[0] == "127.0.0.1"
        assert listener.family == socket.AF_INET


@pytest.mark.slow
def test_the_key_and_the_port_stay_for_a_library(start: type[Process], library_folder: Path) -> None:
    quiet = "{'open_browser': False}"
    kept = library_folder / "review.json"
    kept.write_text("{", encoding="utf-8")  # which tells nothing
    server = start(quiet)  # type: ignore[arg-type, call-arg]
    address = server.line("The review page is at ").split()[-1]
    origin = address.partition("/?")[0]
    with requests.Session() as session:
        assert session.get(address).status_code == 200
        server.end(signal.SIGINT)
        again = start(quiet)  # type: ignore[arg-type, call-arg]
        assert again.line("The review page is at ").split()[-1] == address
        assert session.get(f"{origin}/api/library").status_code == 200
        beside = start(quiet)  # type: ignore[arg-type, call-arg]  # the port is taken: another one
        assert beside.line("The review page is at ").split()[-1].partition("/?")[0] != origin
        again.end(signal.SIGINT)
        beside.end(signal.SIGINT)
        assert kept.stat().st_mode & 0o777 == 0o600
        kept.chmod(0o644)  # others could have read it: it is no secret any more
        fresh = start(quiet)  # type: ignore[arg-type, call-arg]
        other = fresh.line("The review page is at ").split()[-1]
        assert other.partition("=")[2] != address.partition("=")[2]
        assert session.get(f"{other.partition('/?')[0]}/api/library").status_code == 401
        assert kept.stat().st_mode & 0o777 == 0o600
        fresh.end(signal.SIGINT)

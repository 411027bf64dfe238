"""How commands begin and end: version, errors, signals, pipes, and terminals that can't show everything."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.made_library import Shot, library, take

from unmingle.api import Library
from unmingle.cli import Stopped, keeping, main, take_any_text
from unmingle.errors import command
from unmingle.text_layout import printable
from unmingle.version import __version__

if TYPE_CHECKING:
    from tests.command import Command

    from unmingle.demo import Meeting


def start(*words: str | Path, **environment: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "unmingle", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **environment},
    )


def finish(process: subprocess.Popen[bytes]) -> tuple[int, bytes, bytes]:
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


@pytest.mark.parametrize(
    "words", [("cluster", "", "-o", "new"), ("cluster", "x", "-o", ""), ("people", ""), ("import", "one", "")]
)
def test_an_empty_path_is_not_the_current_folder(words: tuple[str, ...], unmingle: Command) -> None:
    done = unmingle(*words)
    assert (done.code, list(unmingle.folder.iterdir())) == (2, [])
    assert "is empty" in done.err


def test_the_log_has_the_time_of_the_place(album: Path, unmingle: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    made = datetime.fromisoformat(Library(album).decisions[0].made)
    monkeypatch.setenv("TZ", "XXX-9")
    time.tzset()
    try:
        told = unmingle("log", album).out
        assert f"{made + timedelta(hours=9):%Y-%m-%d %H:%M}" in told
        assert "UTC" not in told
    finally:
        monkeypatch.undo()
        time.tzset()


def test_watch_ends_where_its_options_for_cluster_are_wrong(album: Path) -> None:
    code, _, err = finish(start("watch", album, "--", "--nonsense"))
    assert (code, b"No such option: --nonsense" in err) == (2, True)


def test_a_width_of_nothing_is_one_that_nobody_knows(album: Path) -> None:
    code, out, _ = finish(start("people", album, COLUMNS="0"))
    assert (code, b"cohesion" in out) == (0, True)


def test_completion_that_can_not_be_installed_is_a_clear_error(
    tmp_path: Path, unmingle: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "home").touch()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    done = unmingle("--install-completion", "bash")
    assert (done.code, done.err.partition("\n")[0]) == (1, f"Error: {tmp_path / 'home'}: File exists.")


def test_the_version_is_told(unmingle: Command) -> None:
    done = unmingle("--version")
    assert (done.code, done.out, done.err) == (0, f"unmingle {__version__}\n", "")


@pytest.mark.parametrize(
    "words", [(), ("nothing",), ("people",), ("people", "a", "--most", "0"), ("cluster", "a"), ("undo", "a", "x")]
)
def test_wrong_usage_is_2(unmingle: Command, words: tuple[str, ...]) -> None:
    assert unmingle(*words).code == 2


def test_hints_name_the_library_for_the_shell(album: Path, unmingle: Command) -> None:
    named = unmingle("name", album, "1", "Ada")
    assert named.out == f"#2 Called Person 1 Ada. To take it back: unmingle undo '{album}'\n"
    assert unmingle("undo", album).out.endswith(f"To take it back: unmingle redo '{album}'\n")
    exported = unmingle("export", album, "-o", album.parent / "new", "--to", "xmp")
    assert f"unmingle name '{album}' PERSON NAME" in exported.out
    unmingle("name", album, "1", "Ada")
    assert f"unmingle merge '{album}' 1 2" in unmingle("name", album, "2", "Ada").err
    assert f"unmingle log '{album}'" in unmingle("undo", album, "99").err
    assert "unmingle cluster PICTURES -o '/no where'" in unmingle("people", "/no where").err
    names = album.parent / "names.csv"
    names.write_text("file,name\np1/1.jpg,Bob\n")
    assert f"unmingle undo '{album}' " in unmingle("import", album, names).out
    assert command("undo", Path("-a b")) == "unmingle undo './-a b'"


NAMES = [
    ("new\nline\ttab", r"new\nline\ttab"),
    ("\x1b[31mred\x9b", r"\x1b[31mred\x9b"),
    ("\u202egpj.exe", r"\u202egpj.exe"),
    ("ls\u2028sep", r"ls\u2028sep"),
    ("bad\udcff", r"bad\xff"),
    ("half \ud800", r"half \ud800"),
    ("نیم\u200cفاصله 😀 \u3000é", "نیم\u200cفاصله 😀 \u3000é"),
    ("back\\slash [/b] [red]", "back\\slash [/b] [red]"),
]


@pytest.mark.parametrize(("text", "shown"), NAMES)
def test_text_is_printed_harmlessly(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_odd_names_break_no_table(tmp_path: Path, unmingle: Command) -> None:
    odd = ["new\nline", "[/b]", "[red]x", "\x1b[31mred", "bad\udcff", "x" * 240]
    shots = [Shot(f"{name}/{i}.jpg", (person,), ((10, 10, 90, 90),)) for person, name in enumerate(odd) for i in (1, 2)]
    take(tmp_path / "pictures", shots)
    found = [Shot(printable(one.name) if "\udcff" in one.name else one.name, one.people, one.boxes) for one in shots]
    album = tmp_path / "lib\x1b[31m[/b]\n"
    library(album, tmp_path / "pictures", found)
    Library(album).name(1, "[/b] [red]")
    for words in (("people",), ("log",), ("evaluate", "--labels", "folders"), ("name", "2", "[/x]"), ("undo",)):
        done = unmingle(words[0], album, *words[1:])
        assert done.code == 0, done.err
        assert "\x1b[31m" not in done.out + done.err
    assert "[/b] [red]" in unmingle("people", album).out


def on_a_terminal(encoding: str, *words: str | Path) -> bytes:
    """What the program writes where standard output has an encoding; nothing goes wrong."""
    written = io.BytesIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["unmingle", *map(str, words)])
        patch.setattr("sys.stdout", io.TextIOWrapper(written, encoding=encoding))
        with pytest.raises(SystemExit) as ended:
            main()
        assert not ended.value.code
        return written.getvalue()


def test_a_terminal_that_cant_show_a_name_ends_nothing(album: Path) -> None:
    out = on_a_terminal("ascii", "name", album, "1", "Zoë 😀")
    assert rb"Called Person 1 Zo\u00eb \ud83d\ude00" in out
    out = on_a_terminal("cp1252", "people", album, "--json")
    assert json.loads(out.decode("cp1252"))[0]["name"] == "Zoë 😀"


def test_a_pipe_gets_long_names_whole(album: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    name = "Maximiliane Freifrau von Hohenstein-Waldburg zu Sonnenberg-Trauchgau, geborene Müller " * 2
    Library(album).name(1, name)
    assert name.strip() in on_a_terminal("utf-8", "people", album).decode()


def test_columns_stand_under_each_other_where_names_are_escaped(album: Path) -> None:
    Library(album).name(1, "Zoë 😀")
    lines = on_a_terminal("ascii", "people", album).decode().splitlines()
    assert len({len(line) for line in lines if line.strip()}) == 1


@pytest.mark.parametrize(
    "words", [("cluster", "a"), ("report",), ("compare", "b"), ("export", "--to", "xlsx", "-o", "b")]
)
@pytest.mark.parametrize("option", ["--sheet", "--file-column", "--label-column"])
def test_how_labels_are_read_is_said_of_labels_only(
    album: Path, unmingle: Command, words: tuple[str, ...], option: str
) -> None:
    library = ("-o", album) if words[0] == "cluster" else (album,)
    done = unmingle(words[0], *library, *words[1:], option, "ID")
    assert done.code == 2
    assert option in done.err


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "utf-8", "utf-16", "cp932"])
@pytest.mark.parametrize("text", ["Zoë", "😀 ☃", "bad\udcff", "half \ud800", "日本"])
def test_json_stays_json_in_every_encoding(encoding: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written, encoding=encoding))
    take_any_text()
    print(json.dumps(text, ensure_ascii=False), flush=True)
    assert json.loads(written.getvalue().decode(encoding)) == text


@pytest.mark.skipif(os.name == "nt", reason="there are no such pipes")
@pytest.mark.parametrize("words", [("people",), ("people", "--json"), ("people", "--help"), ("--help",)])
def test_a_reader_that_has_seen_enough_ends_it_quietly(album: Path, words: tuple[str, ...]) -> None:
    with start(words[0], *([album] if words[0] == "people" else []), *words[1:]) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


@pytest.mark.skipif(os.name == "nt", reason="there is no such shell")
def test_closed_streams_lead_nowhere(album: Path) -> None:
    shell = 'exec "$0" -m unmingle name "$1" 1 Ada <&- >&- 2>&-'
    assert subprocess.run(["sh", "-c", shell, sys.executable, album], check=False).returncode == 0
    assert Library(album).person(1).name == "Ada"


def test_a_library_that_never_was_explains_nothing(
    tmp_path: Path, unmingle: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unmingle.jobs.add", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        unmingle("cluster", tmp_path, "-o", tmp_path / "new")


def test_help_fills_its_lines(unmingle: Command) -> None:
    assert "comes back when the source\n is given" not in unmingle("forget", "--help").out


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no such device")
def test_a_full_disk_is_a_clear_error(album: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "unmingle", "people", album], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 1
    assert done.stderr.startswith(b"Error: ")


def test_what_is_kept_is_told(tmp_path: Path) -> None:
    for there in (False, True):
        if there:
            (tmp_path / "library").mkdir()
        with pytest.raises(Stopped) as stopped, keeping("It is kept.", once=tmp_path / "library"):
            raise Stopped(2)
        assert stopped.value.__notes__ == ["It is kept." if there else "Nothing was stored yet."]


@pytest.mark.skipif(os.name == "nt", reason="there are no such signals")
def test_a_stop_of_which_a_library_makes_another_error_is_still_one() -> None:
    """As OpenVINO's own import does, if the signal comes in the middle of it."""
    lines = (
        "import os, signal, sys",
        "from unmingle import cli",
        "from unmingle.cli import commands",
        "def run():",
        "    with cli.keeping('It is kept.'):",
        "        try: os.kill(os.getpid(), signal.SIGINT)",
        "        except BaseException: raise ImportError('initialization failed')",
        "commands.run = run",
        "cli.main()",
    )
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "Stopped. It is kept.\n")


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="there are no such signals")
@pytest.mark.parametrize(("number", "after"), [(signal.SIGINT, 0.05), (signal.SIGTERM, 0.3), (signal.SIGINT, 0.6)])
def test_stopped_early_it_leaves_nothing_and_says_so(
    meeting: Meeting, tmp_path: Path, number: signal.Signals, after: float
) -> None:
    program = "from unmingle.cli import main; print('up', flush=True); main()"
    words = [sys.executable, "-c", program, "cluster", str(meeting.faces), "-o", str(tmp_path / "library")]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"up\n"
    time.sleep(after)
    process.send_signal(number)
    code, out, err = finish(process)
    assert (code, out) == (128 + number, b"")
    assert b"Stopped. " in err
    assert b"Traceback" not in err
    assert not (tmp_path / "library").exists()


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="there are no such signals")
def test_stopped_later_it_goes_on(meeting: Meeting, tmp_path: Path, unmingle: Command) -> None:
    words = ("cluster", *map(str, sorted(meeting.faces.iterdir())[:12]), "-o", str(tmp_path / "library"))
    done = unmingle.ended(signal.SIGINT, "unmingle.store.analyses", "add_analysis", 5, *words)
    assert (done.code, done.out) == (130, "")
    assert done.err.startswith("Finding faces: 0 of")
    kept = f"Stopped. What was found so far is kept in {tmp_path / 'library'}; the same command goes on from there.\n"
    assert done.err.endswith(kept)
    assert "(8 analysed now, 4 known from before)" in unmingle(*words).out

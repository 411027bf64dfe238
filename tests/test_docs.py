"""The documentation is true: its commands and examples run, its lists are complete, its links lead somewhere."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import build
import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md")])
BLOCK = re.compile(r"^```(console|python)\n(.*?)^```", re.MULTILINE | re.DOTALL)


SCRIPT = re.compile(r"^```(bash|python)\n(.*?)^```", re.MULTILINE | re.DOTALL)
UNMINGLE = f'unmingle() {{ {shlex.quote(sys.executable)} -m unmingle "$@"; }}'  # installed or not


def run(words: list[str], folder: Path) -> None:
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the start page was run from top to bottom."""
    folder = tmp_path_factory.mktemp("started")
    blocks = BLOCK.findall((ROOT / "docs" / "start.md").read_text(encoding="utf-8"))
    assert {kind for kind, _ in blocks} == {"console", "python"}
    for kind, text in blocks:
        if kind == "python":
            run([sys.executable, "-W", "error", "-c", text], folder)
            continue
        for line in text.splitlines():
            program, *words = shlex.split(line.removeprefix("$ "))
            assert program == "unmingle"
            run([sys.executable, "-m", "unmingle", *words], folder)
    return folder


@pytest.mark.slow
def test_the_start_page_runs_from_top_to_bottom(started: Path) -> None:
    assert (started / "out" / "sheets" / "overview.jpg").is_file()
    assert (started / "out" / "evaluation" / "evaluation.json").is_file()
    assert (started / "people" / "Ada").is_dir()


@pytest.mark.slow
def test_the_scripts_run_after_it(started: Path) -> None:
    scripts = SCRIPT.findall((ROOT / "docs" / "guides" / "scripts.md").read_text(encoding="utf-8"))
    shell, python = ("\n".join(text for kind, text in scripts if kind == wanted) for wanted in ("bash", "python"))
    assert shell
    assert python
    if shutil.which("jq"):
        run(["bash", "-euo", "pipefail", "-c", f"{UNMINGLE}\n{shell}"], started)
    run([sys.executable, "-W", "error", "-c", python], started)


@pytest.mark.slow
def test_the_page_on_notebooks_runs_after_it(started: Path) -> None:
    blocks = BLOCK.findall((ROOT / "docs" / "guides" / "notebooks.md").read_text(encoding="utf-8"))
    text = "\n".join(text for kind, text in blocks if kind == "python")
    run([sys.executable, "-W", "error", "-c", text], started)
    assert '"Ada"' in text
    assert ",Ada," in (started / "demo" / "library" / "people.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", ["errors", "settings"])
def test_the_examples_of_the_reference_run(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = BLOCK.findall((ROOT / "docs" / "reference" / f"{page}.md").read_text(encoding="utf-8"))
    assert blocks
    for _, text in blocks:
        exec(compile(text, page, "exec"), {})  # what it is for


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_command_on_every_page_exists_with_its_options(page: Path) -> None:
    """Commands with made-up names can't run here, but their words must be understood."""
    reference = (ROOT / "docs" / "reference" / "command-line.md").read_text(encoding="utf-8")
    for kind, text in BLOCK.findall(page.read_text(encoding="utf-8")):
        for line in text.splitlines() if kind == "console" else []:
            words = shlex.split(line.removeprefix("$ "), comments=True)
            if words[:1] != ["unmingle"]:
                continue
            name = " ".join(words[1:3]) if words[1] == "models" else words[1]
            section = re.search(rf"^## unmingle {name}$(.*?)(?=^## |\Z)", reference, re.MULTILINE | re.DOTALL)
            assert section, line
            for word in words:
                assert not word.startswith("-") or re.search(rf"`[^`]*{re.escape(word)}\b", section[1]), (line, word)


def test_what_is_made_from_the_program_is_up_to_date() -> None:
    for page, text in build.rendered().items():
        assert page.read_text(encoding="utf-8") == text, f"{page.name}: run make docs"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target

"""Shells complete commands, options and their values."""

from __future__ import annotations

import sys

import pytest

from unmingle.cli import main

ASKED = {
    "bash": lambda words: {"COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))},
    "zsh": lambda words: {"_TYPER_COMPLETE_ARGS": words},
    "fish": lambda words: {"_TYPER_COMPLETE_ARGS": words, "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
}


@pytest.mark.parametrize("shell", ASKED)
def test_a_shell_completes(shell: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["/somewhere/unmingle"])
    monkeypatch.setattr(sys.modules["__main__"], "__package__", None)  # as of a script
    monkeypatch.setenv("_UNMINGLE_COMPLETE", f"complete_{shell}")

    def completed(words: str) -> str:
        for name, value in ASKED[shell](words).items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit):
            main()
        return capsys.readouterr().out

    found = completed("unmingle exp")
    assert "export" in found
    assert "evaluate" not in found
    assert all(form in completed("unmingle export --to ") for form in ("folders", "csv", "xmp"))

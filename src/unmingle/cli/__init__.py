"""The command line. Exit codes: 0 done, 1 a clear error, 2 wrong usage, 130 stopped by Ctrl+C."""

from __future__ import annotations

from unmingle.cli.running import main

__all__ = ["main"]

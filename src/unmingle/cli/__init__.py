"""The command line."""

from unmingle.cli.main import app, main

__all__ = ["app", "main"]

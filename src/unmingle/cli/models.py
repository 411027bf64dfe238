"""The commands about networks."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from unmingle.cli.options import Json, Quiet

app = typer.Typer(
    help="The networks: what there is, under which licence, and fetching those that are no part of the installation.",
    no_args_is_help=True,
)


@app.command("list")
def list_models(*, as_json: Json = False) -> None:
    """The models that unmingle knows, their licences, and whether they are here."""
    from dataclasses import asdict

    from rich.console import Console

    from unmingle import console
    from unmingle.models.catalogue import CARDS, is_here

    if as_json:
        print(json.dumps([{**asdict(card), "here": is_here(card)} for card in CARDS.values()], indent=2))
        return
    rows = [
        (
            card.name,
            card.purpose,
            card.licence,
            "yes" if card.commercial else "no",
            "yes" if is_here(card) else f"unmingle models fetch {card.name}",
        )
        for card in CARDS.values()
    ]
    Console().print(console.table(rows, headings=("model", "purpose", "licence", "commercial use", "here")))


@app.command("fetch")
def fetch_model(
    name: Annotated[str, typer.Argument(help="As in unmingle models list.", show_default=False)],
    quiet: Quiet = False,
) -> None:
    """Download a model. The only command that uses the network; goes on where an earlier try stopped."""
    from unmingle import console
    from unmingle.models.catalogue import fetch_card
    from unmingle.models.shelf import card

    wanted = card(name)
    if not quiet:
        print(f"{wanted.name}: {wanted.purpose}. Licence {wanted.licence}. {wanted.source}.")
    with console.progress(quiet=quiet) as progress:
        path = fetch_card(wanted, on_progress=lambda done, total: progress("fetch", done, total or wanted.size))
    print(path)

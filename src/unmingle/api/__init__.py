"""The library as Python sees it."""

from unmingle.api.identify import Identified
from unmingle.api.library import Library, Sheet
from unmingle.api.summary import Summary, as_json
from unmingle.exchange.exporting import Exported, ExportOptions
from unmingle.exchange.importing import Imported
from unmingle.render.notebook import Face, Person

__all__ = [
    "ExportOptions",
    "Exported",
    "Face",
    "Identified",
    "Imported",
    "Library",
    "Person",
    "Sheet",
    "Summary",
    "as_json",
]

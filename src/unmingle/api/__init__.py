"""The library as Python sees it."""

from unmingle.api.exporting import Exported, ExportOptions
from unmingle.api.identify import Identified
from unmingle.api.importing import Imported
from unmingle.api.library import Library, Sheet
from unmingle.api.person import Face, Person
from unmingle.api.summary import Summary, as_json

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

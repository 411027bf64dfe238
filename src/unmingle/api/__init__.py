"""The library as Python sees it."""

from unmingle.api.identify import Identified
from unmingle.api.library import Library, Sheet
from unmingle.api.summary import Summary, as_json

__all__ = ["Identified", "Library", "Sheet", "Summary", "as_json"]

"""Names as they were imported before each had a module of its own; they stay."""

import sys

from unmingle import bench as benching
from unmingle import modelling
from unmingle.exchange import exporting
from unmingle.exchange.exporting import Exported, ExportOptions
from unmingle.exchange.importing import Imported
from unmingle.identification import Identified
from unmingle.library import Library
from unmingle.render.notebook import Face, Person, Sheet
from unmingle.summary import Summary, as_json

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

for _name, _module in {"benching": benching, "exporting": exporting, "modelling": modelling}.items():
    sys.modules[f"{__name__}.{_name}"] = _module

"""Names as they were imported before; they stay. See `unmingle.modelling`."""

from unmingle.example_faces import Examples
from unmingle.modelling import Checked, Tried, add_model, calibrate_model, check_model, fetch_model, models_here

__all__ = [
    "Checked",
    "Examples",
    "Tried",
    "add_model",
    "calibrate_model",
    "check_model",
    "fetch_model",
    "models_here",
]

"""Names as they were imported before; they stay. See `unmingle.exchange.exporting`."""

from unmingle.exchange.exporting import Exported, ExportOptions

__all__ = ["ExportOptions", "Exported"]

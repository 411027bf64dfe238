"""Names as they were imported before; they stay. See `unmingle.bench`."""

from unmingle.bench import Bench, BenchSettings, as_json, bench, table

__all__ = ["Bench", "BenchSettings", "as_json", "bench", "table"]

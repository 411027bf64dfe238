"""Files in parts, and read ahead, as a worker does without a cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

pa = pytest.importorskip("pyarrow")
pytest.importorskip("ray")


@pytest.mark.parametrize(("count", "workers"), [(1, 4), (38, 1), (100, 20), (1600, 2), (100_000, 64)])
def test_each_file_is_in_one_part_and_the_last_parts_are_small(count: int, workers: int) -> None:
    from unmingle.distributed.analysis import PART_FILES, _parts
    from unmingle.ingest import BATCH_PICTURES

    parts = list(_parts(pa.table({"number": range(count)}), workers))
    assert pa.concat_tables(parts)["number"].to_pylist() == list(range(count))
    assert max(map(len, parts)) <= PART_FILES
    assert len(parts) >= min(count, workers)
    assert all(len(part) <= BATCH_PICTURES for part in parts[-workers:])


def test_files_are_read_ahead_in_order_and_what_cannot_be_read_fails_alone(tmp_path: Path) -> None:
    from unmingle.distributed.analysis import _read_ahead

    files = [tmp_path / f"{number}.jpg" for number in range(40)]
    for file in files[:-1]:
        file.write_bytes(file.name.encode())
    read = list(_read_ahead([(str(file), 1 << (number % 30)) for number, file in enumerate(files)]))
    assert [one.result() for one in read[:-1]] == [file.name.encode() for file in files[:-1]]
    with pytest.raises(Exception, match="is no file"):
        read[-1].result()

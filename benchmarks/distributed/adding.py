"""What it costs, and how well it goes, to add faces to clusters that are kept in cells, against grouping all again.

    python benchmarks/distributed/adding.py --size 100000 > benchmarks/results/distributed_adding.json

As cells.py: one cell after another in this process, without Ray, but by the same functions as `distributed.adding`.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter, defaultdict

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from cells import faces_table, generate, grouped_rows, scores

from unmingle.distributed import cells, outliers


def adding(
    rows: pa.Table, kept: dict[int, pa.Table], plan: cells.Plan, centres_cd: cells.F32, moments: cells.F64
) -> dict[int, int]:
    """Whose each face of some new rows is, and of the clusters that they met, by the names of clusters."""
    hidden, clusters = pa.array([], pa.int64()), sum(map(len, kept.values())) + len(rows)

    def of_cells(copies: int, single: int | None = None):  # type: ignore[no-untyped-def]
        sent = cells.placed(rows, centres_cd, copies=copies, single=single)
        cell = sent["cell"].to_numpy()
        for one in np.unique(cell).tolist():
            there = kept.get(one, cells.ROWS.empty_table())
            yield one, sent.filter(pa.array(cell == one)), there.filter(pc.invert(pc.is_in(there["cluster"], hidden)))

    while True:
        found = []
        for cell, new, there in of_cells(cells.COPIES):
            pairs = cells.beside(new, there, plan, clusters)
            found.append(pairs.append_column("cell", pa.array(np.full(len(pairs), cell))))
        pairs = pa.concat_tables(found)
        first, second = cells.surest(pairs)
        if not len(first):
            break
        wanted = np.setdiff1d(np.append(first, second), rows["cluster"].to_numpy())
        named = np.append(pairs["first"].to_numpy(), pairs["second"].to_numpy())
        at = cells.lookup(wanted, named, np.tile(pairs["cell"].to_numpy(), 2), -1)
        for one in np.unique(at).tolist():
            rows = pa.concat_tables([rows, kept[one].filter(pc.is_in(kept[one]["cluster"], pa.array(wanted)))])
        hidden = pa.concat_arrays([hidden, pa.array(wanted)])
        of = cells.lookup(rows["cluster"].to_numpy(), np.append(first, second), np.append(first, first), -1)
        rows = cells.merged(rows.append_column("group", pa.array(of))).combine_chunks()
        clusters -= len(first)
    rows = cells.parted(rows, plan, clusters)
    named = [outliers.attach(new, plan, moments, there) for _, new, there in of_cells(1, outliers.COPIES)]
    face, cluster, _ = cells.members(rows, outliers.attached(pa.concat_tables(named), plan))
    return dict(zip(face.tolist(), cluster.tolist(), strict=True))


def main() -> None:
    """Measure, and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=100_000)
    parser.add_argument("--added", type=int, nargs="+", default=[100, 1000, 10_000])
    options = parser.parse_args()
    vectors_nd, person_n = generate(options.size)
    key_n = np.random.default_rng(5).permutation(options.size).astype(np.int64)
    start = time.process_time()
    rows, moved, plan, _ = grouped_rows(vectors_nd, key_n)
    face, cluster, _ = cells.members(rows, moved)
    label_n = cells.lookup(key_n, face, cluster, -1)
    result = {"faces": options.size, "all": scores(person_n, label_n, time.process_time() - start), "added": []}
    for count in options.added:
        old = options.size - count
        rows, moved, plan, _ = grouped_rows(vectors_nd[:old], key_n[:old])
        face, cluster, _ = cells.members(rows, moved)
        label_n = np.append(cells.lookup(key_n[:old], face, cluster, -1), np.full(count, -1))
        centres_cd = plan.centres(0, cells.KEPT_FACES)
        sent = cells.placed(rows, centres_cd)
        no, cell = pa.array(np.zeros(len(sent), np.bool_)), sent["cell"].to_numpy()
        sent = sent.drop_columns(["fresh"]).append_column("fresh", no)
        sent = sent.select(cells.ROWS.names).cast(cells.ROWS)
        kept = {int(one): sent.filter(pa.array(cell == one)) for one in np.unique(cell)}
        moments = outliers.moments(rows, plan)
        start = time.process_time()
        new = cells.singles(faces_table(vectors_nd[old:], key_n[old:]), plan)
        label_of = adding(new, kept, plan, centres_cd, moments)
        seconds = time.process_time() - start
        owner = dict(zip(key_n[:old].tolist(), label_n[:old].tolist(), strict=True))
        were: dict[int, Counter[int]] = defaultdict(Counter)
        for key, name in label_of.items():  # by the face that names a cluster, where others stayed in their cell
            were[name].update([owner[one] for one in {key, name} if one in owner])
        name_of = {name: of.most_common(1)[0][0] if of else name for name, of in were.items()}
        label_n = np.array([name_of.get(label_of.get(key, -1), owner.get(key, -1)) for key in key_n.tolist()], np.int64)
        result["added"].append({"new": count, **scores(person_n, label_n, seconds)})
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()

"""Single faces of cells find their people: each asks those of the cells nearest to it, and all are judged together.

How alike strangers are, and how many they are, is told by the moments of the whole collection, not by a cell's, where
all are neighbours.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from unmingle.distributed.cells import MOVED, ROWS, Cell, Plan
from unmingle.grouping.attach import MISTAKES, Cohort, border_chances, name_hosts, outlier_chances, surest_of_families
from unmingle.grouping.refine import FRAGMENT_FACES
from unmingle.grouping.threshold import STOREY, chance_of_best, standard_query, surest
from unmingle.records import F64

COPIES, NEAR = 12, 4  # cells that each single face asks, and people of each with whom it is compared face by face
# Sums of products of numbers on this grid are exact, so that their order doesn't matter, of up to four million rows.
GRID = 2.0**-12

NAMED = pa.schema(
    {
        **dict.fromkeys(("face", "picture", "person"), pa.int64()),
        **dict.fromkeys(("score", "chance"), pa.float64()),  # how alike they are, and how often strangers would be
        **dict.fromkeys(("border", "of_one", "passes"), pa.bool_()),  # of_one: the person is a single face
    }
)


def moments(rows: pa.Table, plan: Plan) -> F64:
    """(3, w, w) sums over large clusters, those of core faces, and border faces, by which `attach` judges; they add up.

    Of the outer products of what a `Cohort` is of, with a 1 behind.
    """
    if not len(rows):
        return np.zeros((3, 1, 1))
    cell = Cell.of(rows)
    base_cd = plan.threshold.standard_base(cell.means(), cell.size_c)
    border_bd = standard_query(cell.vectors_nd[np.repeat(~cell.core_c, cell.size_c)])
    some = (base_cd[cell.core_c & (cell.size_c > FRAGMENT_FACES)], base_cd[cell.core_c], border_bd)
    grids = (np.round(standard_query(of).astype(np.float64) / GRID) * GRID for of in some)
    return np.stack([of.T @ of for of in grids])


def attach(rows: pa.Table, plan: Plan, moments: F64, there: pa.Table | None = None) -> pa.Table:
    """Whom each single face of a cell is most like, of the clusters at home there; see `attached`.

    there: further clusters at home, which name nobody.
    """
    cell = Cell.of(rows if there is None else pa.concat_tables([rows.select(ROWS.names), there]))
    single_c = (cell.size_c == 1) & np.isin(cell.name_c, rows["cluster"].to_numpy())
    state, slots, hosts_c = cell.clusters(), cell.start_c, cell.core_c & cell.home_c
    home_n = np.repeat(cell.home_c, cell.size_c)
    large, people, of_border = (Cohort(round(of[-1, -1]), of[-1, :-1], of[:-1, :-1]) for of in moments)
    found = [NAMED.empty_table()]
    for border, among_c in ((False, hosts_c & (cell.size_c > FRAGMENT_FACES)), (True, hosts_c)):
        queries = slots[single_c & (cell.core_c != border)]
        if not len(queries) or not among_c.any():
            continue
        named = name_hosts(state, queries, slots[among_c], plan.threshold, NEAR)
        if border:
            chance, passes = border_chances(state, named, plan.threshold, people, of_border)
        else:
            chance = outlier_chances(state, named, plan.threshold, large)
            passes = np.ones(len(chance), np.bool_)
        # Who is like nobody is counted once, at home; but whom a face like many is most like may be in any cell.
        usual = chance_of_best(named.best_q, (people if border else large).count)
        some = np.flatnonzero((np.minimum(chance, usual) <= STOREY) | home_n[named.query_q])
        query, host = named.query_q[some], named.host_q[some]
        columns = (cell.face_n[query], cell.picture_n[query], cell.face_n[host], named.best_q[some], chance[some])
        flags = (np.full(len(some), border), state.size_n[host] == 1, passes[some])
        found.append(pa.table([*columns, *flags], schema=NAMED))
    return pa.concat_tables(found)


def attached(named: pa.Table, plan: Plan) -> pa.Table:
    """Who of all that named somebody in some cell is whose: columns face and person."""
    named = named if len(named) else NAMED.empty_table()
    face, picture, person, score, chance, border, of_one, passes = (named[name].to_numpy() for name in NAMED.names)
    moved = np.zeros(0, np.int64)
    for kind in (False, True):
        some = np.flatnonzero((border == kind) & ~np.isin(person, face[moved]))  # those are not alone any more
        some = some[np.lexsort((person[some], -score[some], face[some]))]
        some = some[np.unique(face[some], return_index=True)[1]]
        if kind:
            taken = some[surest_of_families(chance[some], of_one[some], plan.threshold.expected)]
        else:
            taken = some[surest(chance[some], MISTAKES)]
        moved = np.append(moved, taken[np.lexsort((face[taken], chance[taken]))])
    moved = moved[passes[moved]]
    # Of a picture a person gets the surest face.
    first = np.unique(np.stack([person[moved], picture[moved]]), axis=1, return_index=True)[1]
    moved = moved[np.sort(first)]
    return pa.table({"face": face[moved], "person": person[moved]}, MOVED)

"""Who of the people in pictures is who, where it is only said who is in each picture as a whole.

A person is called what the pictures that show them are tagged with: each tag is expected on the pictures with the face
of its bearer, and elsewhere at a rate of its own, as of faces that were not found. The names are those that make all
tags together most probable (coordinate ascent from nobody named); how sure each is comes from the best arrangements
that differ in it, among them that two people have each other's names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence, Set

    from scipy.sparse import csr_array

    from unmingle.records import F64, I64

NOBODY = -1
TWICE = float(np.log(1e-3))  # that somebody is in one picture twice
AGAIN = float(np.log(0.1))  # that somebody was found as two people
EXPECTED = (9.0, 1.0)  # pictures of somebody with and without the tag, as if seen before: nine in ten carry it
SWEEPS = 20
NEAR = 40  # people who are most often with somebody
LEAST = 1e-6


@dataclass(frozen=True, slots=True)
class Guess:
    """What a person is probably called."""

    name: str
    probability: float


def who_is_who(shown: Sequence[Set[int]], tagged: Sequence[Set[str]], known: Mapping[int, str]) -> dict[int, Guess]:
    """The names of people.

    Args:
        shown: for each of p pictures, the people in it.
        tagged: for each picture, the names that it carries, with or without a place.
        known: who is called what already; these stay.
    """
    people = sorted(set().union(*shown))
    names = sorted(set().union(*tagged))
    if not people or not names:
        return {}
    fixed = np.full(len(people), NOBODY)
    for i, person in enumerate(people):
        if known.get(person) in names:
            fixed[i] = names.index(known[person])
        elif person in known:
            fixed[i] = len(names)  # is called something that no picture says
    tables = _Tables(_incidence(shown, people), _incidence(tagged, names), fixed)
    name_c, sure_c = tables.solve()
    free = np.flatnonzero((fixed == NOBODY) & (name_c != NOBODY))
    return {people[i]: Guess(names[name_c[i]], float(sure_c[i])) for i in free}


def _incidence(sets: Sequence[Set[int]] | Sequence[Set[str]], items: Sequence[int] | Sequence[str]) -> csr_array:
    from scipy.sparse import csr_array

    index = {item: i for i, item in enumerate(items)}
    rows = np.repeat(np.arange(len(sets)), [len(one) for one in sets])
    columns = np.array([index[item] for one in sets for item in sorted(one)], int)
    return csr_array((np.ones(len(rows)), (rows, columns)), shape=(len(sets), len(items)))


class _Tables:
    """Counts of p pictures that c people and n names have in common, and an arrangement of names."""

    def __init__(self, shown_pc: csr_array, tagged_pn: csr_array, fixed_c: I64) -> None:
        self.fixed_c = fixed_c
        self.pictures = shown_pc.shape[0]
        self.both_nc: F64 = (tagged_pn.T @ shown_pc).toarray()
        self.shown_c: F64 = shown_pc.sum(axis=0)
        self.tagged_n: F64 = tagged_pn.sum(axis=0)
        self.together_cc = (shown_pc.T @ shown_pc).tocsr()
        self.name_c = fixed_c.copy()
        self.rate = EXPECTED[0] / sum(EXPECTED)
        self.prior = -np.log1p(len(self.tagged_n))

    def solve(self) -> tuple[I64, F64]:
        """The name of each person, NOBODY for none, and its probability."""
        for last in (False, False, True):
            self._ascend(thorough=last)
            named = np.flatnonzero((self.name_c != NOBODY) & (self.name_c < len(self.tagged_n)))
            hits = self.both_nc[self.name_c[named], named].sum()
            self.rate = (EXPECTED[0] + hits) / (sum(EXPECTED) + self.shown_c[named].sum())
            self.prior = np.log((1 + len(named)) / (1 + len(self.name_c) - len(named)) / len(self.tagged_n))
        sure_c = np.ones(len(self.name_c))
        for c in np.flatnonzero((self.fixed_c == NOBODY) & (self.name_c != NOBODY)):
            sure_c[c] = self._probability(int(c))
        return self.name_c, sure_c

    def _score(self, n: int | slice, hits: F64 | float, shown: F64 | float, twice: F64 | float) -> F64:
        """The logarithm of how probable the tags of a name are, if its bearer is in `shown` pictures, `hits` tagged."""
        from scipy.special import betaln

        # Elsewhere a tag is as frequent as it is, whatever that is (a Beta prior of ½, ½).
        astray = np.maximum(self.tagged_n[n] - hits, 0)
        absent = np.maximum(self.pictures - shown - astray, 0)
        with_face = hits * np.log(self.rate) + (shown - hits) * np.log1p(-self.rate)
        score: F64 = with_face + betaln(0.5 + astray, 0.5 + absent) + twice * TWICE
        return score

    def _pictures(self, n: int, bearers: I64) -> tuple[float, float]:
        """The pictures of the bearers of a name that carry it, and all of theirs."""
        return float(self.both_nc[n, bearers].sum()), float(self.shown_c[bearers].sum())

    def _together(self, people: Iterable[int]) -> F64:
        """In how many pictures each is with these people; indexing the sparse table would take ten times as long."""
        table, found_c = self.together_cc, np.zeros(len(self.name_c))
        for c in people:
            row = slice(table.indptr[c], table.indptr[c + 1])
            found_c[table.indices[row]] += table.data[row]
        return found_c

    def _gains(self, n: int, who: I64 | int | slice = slice(None), *, without: int = NOBODY) -> F64:
        """What is won where each of `who`, too, has a name; `without` one of its bearers."""
        bearers = np.flatnonzero(self.name_c == n)
        bearers = bearers[bearers != without]
        twice = self._together(bearers)[who] if len(bearers) else 0.0
        hits, shown = self._pictures(n, bearers)
        now = self._score(n, hits, shown, 0.0)
        prior = self.prior + (AGAIN if len(bearers) else 0.0)
        more = self._score(n, hits + self.both_nc[n, who], shown + self.shown_c[who], twice)
        gains: F64 = more - now + prior
        return gains

    def _ascend(self, *, thorough: bool) -> None:
        """Name people, the surest first, until no change of one of them wins anything."""
        self.name_c = self.fixed_c.copy()
        self._fill(np.arange(len(self.name_c)), np.arange(len(self.tagged_n)))
        for _ in range(SWEEPS):
            before = self.name_c.copy()
            for c in np.flatnonzero((self.fixed_c == NOBODY) & (self.both_nc > 0).any(axis=0)):
                near = np.flatnonzero(self.both_nc[:, c])
                gains = [float(self._gains(int(n), int(c), without=int(c))) for n in near]
                best = int(np.argmax(gains))
                self.name_c[c] = near[best] if gains[best] > 0 else NOBODY
                if thorough and self.name_c[c] != NOBODY:
                    rival, won = self._rival(int(c))
                    if won > LEAST:
                        self.name_c = rival
            if np.array_equal(before, self.name_c):
                break

    def _fill(self, who: I64, names: I64, barred: tuple[int, int] | None = None) -> None:
        """Give these names to those of these people who have none, as long as that wins anything; one may be barred."""
        allowed = self.both_nc[np.ix_(names, who)] > 0
        if barred is not None:
            allowed[np.ix_(names == barred[0], who == barred[1])] = False
        gain = np.array([self._gains(int(n), who) for n in names]).reshape(allowed.shape)
        while True:
            reach = np.where(allowed & (self.name_c[who] == NOBODY), gain, 0.0)
            row, column = np.unravel_index(int(np.argmax(reach)), reach.shape)
            if reach[row, column] <= 0:
                return
            self.name_c[who[column]] = names[row]
            gain[row] = self._gains(int(names[row]), who)

    def _rival(self, c: int) -> tuple[I64, float]:
        """The best arrangement in which somebody and those around have other names or none, and what it wins."""
        together_c = self._together([c])
        near = np.flatnonzero((together_c > 0) & (self.fixed_c == NOBODY))
        near = near[np.argsort(-together_c[near], kind="stable")[:NEAR]]
        names = np.flatnonzero((self.both_nc[:, near] > 0).any(axis=1))
        now, before = self.name_c, self._total(names)
        self.name_c = now.copy()
        self.name_c[near] = NOBODY
        self._fill(near, names, barred=(int(now[c]), c))
        rival, won = self.name_c, self._total(names) - before
        self.name_c = now
        return rival, won

    def _total(self, names: I64) -> float:
        """How probable the tags of these names are as they are given now."""
        total = 0.0
        for n in names:
            bearers = np.flatnonzero(self.name_c == n)
            if not len(bearers):
                continue
            hits, shown = self._pictures(int(n), bearers)
            twice = (self._together(bearers)[bearers].sum() - shown) / 2
            total += float(self._score(int(n), hits, shown, twice) - self._score(int(n), 0.0, 0.0, 0.0))
            total += self.prior * len(bearers) + AGAIN * (len(bearers) - 1)
        return total

    def _probability(self, c: int) -> float:
        """Of a person's name, against what else one or two people could be called, and against `_rival`."""
        n = int(self.name_c[c])
        mine = self._gains(n, without=c)  # of each who might have the name instead
        others = [-mine[c]]  # nobody has it
        others += [float(self._gains(int(m), c)) - mine[c] for m in np.flatnonzero(self.both_nc[:, c]) if m != n]
        for d in np.flatnonzero((self.both_nc[n] > 0) & (self.fixed_c == NOBODY) & (self.name_c != n)):
            change, m = mine[d] - mine[c], int(self.name_c[d])
            if m == NOBODY:
                others.append(change)
                continue
            theirs, swapped = self._gains(m, np.array([d, c]), without=int(d))
            # The other has this name, and theirs goes to nobody, or here; or only theirs comes here.
            others += [change - theirs, change - theirs + swapped, swapped - theirs - mine[c]]
        won = self._rival(c)[1]
        if won > max(others) + LEAST:
            others.append(won)
        return float(1 / (1 + np.exp(np.minimum(others, 50.0)).sum()))

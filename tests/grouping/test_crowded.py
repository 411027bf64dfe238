"""Crowded places of the face space, where strangers are nearly as alike as one person's faces elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from unmingle.errors import SettingsError
from unmingle.estimator import FaceClusterer
from unmingle.evaluation.metrics import score
from unmingle.grouping import cluster, refine
from unmingle.grouping.attach import Assigner
from unmingle.grouping.cluster import cluster_faces
from unmingle.grouping.clusters import Clusters, canonical_order, unit_rows
from unmingle.grouping.confidence import face_probabilities, label_means, likely_pairs
from unmingle.grouping.constraints import Constraints
from unmingle.grouping.impostors import SFACE_CURVE, ImpostorModel
from unmingle.grouping.threshold import local_excess
from unmingle.records import Added
from unmingle.settings import GroupingSettings
from unmingle.summary import Summary, summary_lines

if TYPE_CHECKING:
    from unmingle.records import F32, I64

# Cosines of strangers and of one person's faces: of small children to the eyes of SFace, and of everybody.
CHILDREN, EVERYBODY = (0.38, 0.56), (0.09, 0.54)


def draw(sizes: list[int], alike: tuple[float, float], random: np.random.Generator) -> tuple[F32, I64]:
    """Faces of people with so many pictures each, who share a part of what they look like."""
    strangers, own = alike
    person_n = np.repeat(np.arange(len(sizes)), sizes)
    shared, people, rest = (random.normal(size=(n, 128)) for n in (1, len(sizes), len(person_n)))
    vectors = strangers**0.5 * shared + (own - strangers) ** 0.5 * people[person_n] + (1 - own) ** 0.5 * rest
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), person_n


def grouped(vectors_nd: F32) -> I64:
    return cluster_faces(vectors_nd, GroupingSettings(), curve=SFACE_CURVE).labels


def strays(labels_n: I64, person_n: I64) -> float:
    """The largest share of a cluster of more than 30 faces that are not its majority's."""
    shares = [0.0]
    for label in np.flatnonzero(np.bincount(labels_n) > 30):
        shares.append(1 - np.bincount(person_n[labels_n == label]).max() / (labels_n == label).sum())
    return max(shares)


@pytest.mark.parametrize("children", [40, 120])
@pytest.mark.parametrize("others", [200, 800])
def test_no_large_cluster_is_a_crowd(children: int, others: int) -> None:
    random = np.random.default_rng(children + others)
    crowd, child = draw(random.integers(1, 9, children).tolist(), CHILDREN, random)
    rest, other = draw([40, 60, *random.integers(1, 9, others).tolist()], EVERYBODY, random)
    labels = grouped(np.concatenate([crowd, rest]))
    person = np.concatenate([child, children + other])
    assert strays(labels, person) <= 0.05
    assert np.bincount(labels).max() == 60  # who is large stays whole


@pytest.mark.parametrize("seed", range(6))
def test_no_large_cluster_is_a_crowd_however_large_and_alike_the_crowd_is(seed: int) -> None:
    random = np.random.default_rng(seed)
    children, others = random.integers(10, 150), random.integers(20, 200)
    alike = random.uniform(0.15, 0.4)
    own = random.uniform(max(0.5, alike + 0.15), 0.66)
    crowd, child = draw(random.integers(1, 12, children).tolist(), (alike, own), random)
    rest, other = draw([45, *random.integers(1, 12, others).tolist()], EVERYBODY, random)
    labels = grouped(np.concatenate([crowd, rest]))
    assert strays(labels, np.concatenate([child, children + other])) <= 0.05
    assert np.bincount(labels).max() == 45  # who is large stays whole


@pytest.mark.parametrize("seed", range(3))
def test_a_crowd_alone_is_not_one_person(seed: int) -> None:
    random = np.random.default_rng(seed)
    crowd, child = draw(random.integers(1, 6, 90).tolist(), CHILDREN, random)
    found = cluster_faces(crowd, GroupingSettings(), curve=SFACE_CURVE)
    assert score(child, found.labels).pairwise.precision > 0.9
    assert dict(found.notes)["crowded"] > 0.9 * len(crowd)  # where it can't tell, it says so


@pytest.mark.parametrize("seed", range(14, 17))
def test_a_small_crowd_alone_is_not_one_person_however_alike_it_is(seed: int) -> None:
    random = np.random.default_rng(seed)
    alike = random.uniform(0.2, 0.4)
    sizes = random.integers(1, 6, random.integers(30, 120)).tolist()
    crowd, child = draw(sizes, (alike, max(0.5, alike + 0.15)), random)
    assert score(child, grouped(crowd)).pairwise.precision > 0.9


def poor_people(sizes: list[int], random: np.random.Generator, *, least: float = 0.45) -> tuple[F32, I64]:
    """Faces of which each shows more or less of the person: of one person they are about as alike as children are."""
    person_n = np.repeat(np.arange(len(sizes)), sizes)
    people, rest = (random.normal(size=(n, 128)) for n in (len(sizes), len(person_n)))
    shown = random.uniform(least, least + 0.3, (len(person_n), 1))
    vectors = shown * people[person_n] + (1 - shown**2) ** 0.5 * rest
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), person_n


def test_a_few_people_in_many_poor_pictures_of_a_recording_are_no_crowd() -> None:
    random, sizes = np.random.default_rng(0), [250, 200, 150]
    vectors, person = poor_people(sizes, random)
    frame_n = np.concatenate([np.arange(size) for size in sizes])
    seen_k2 = np.stack([np.arange(600), frame_n], axis=1)

    def found_in(vectors_nd: F32) -> tuple[I64, float]:
        constraints = Constraints(len(vectors_nd), seen_k2=seen_k2)
        found = cluster_faces(vectors_nd, GroupingSettings(), curve=SFACE_CURVE, constraints=constraints)
        return found.labels, dict(found.notes)["crowded"]

    labels, crowded = found_in(vectors)
    assert score(person, labels).bcubed.f1 > 0.97
    assert crowded == 0
    crowd, child = draw(random.integers(1, 9, 40).tolist(), CHILDREN, random)  # who is beside them still is one
    both, person = np.concatenate([vectors, crowd]), np.concatenate([person, 3 + child])
    labels, crowded = found_in(both)
    assert strays(labels, person) <= 0.05
    assert score(person[:600], labels[:600]).bcubed.f1 > 0.6  # beside so many strangers some stay alone
    assert crowded > 0.9 * len(crowd)


@pytest.mark.parametrize("seed", range(2))
def test_a_crowd_in_good_and_poor_pictures_is_not_one_person(seed: int) -> None:
    random = np.random.default_rng(seed)
    (alike, own), child = CHILDREN, np.repeat(np.arange(60), random.integers(1, 9, 60))
    shared, people, noise = (random.normal(size=(n, 128)) for n in (1, 60, len(child)))
    shown = random.uniform(0.6, 1.2, (len(child), 1))
    crowd = shown * (alike**0.5 * shared + (own - alike) ** 0.5 * people[child]) + (1 - shown**2 * own) ** 0.5 * noise
    rest, other = draw([40, 60, *random.integers(1, 9, 200).tolist()], EVERYBODY, random)
    labels = grouped(np.concatenate([crowd, rest]).astype(np.float32))
    assert strays(labels, np.concatenate([child, 60 + other])) <= 0.05
    assert np.bincount(labels).max() == 60


@pytest.mark.parametrize("seed", range(3))
def test_pieces_of_people_in_poor_pictures_are_no_strangers_and_are_joined(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors, person = poor_people([25] * 20, np.random.default_rng(seed), least=0.4)
    labels = grouped(vectors)
    assert score(person, labels).bcubed.f1 > 0.97
    monkeypatch.setattr(cluster, "join_likely", lambda *_: None)
    found = [score(person, of).people_found for of in (labels, grouped(vectors))]
    assert 20 <= found[0] < found[1]


@pytest.mark.parametrize("seed", range(3))
def test_of_very_poor_pictures_many_of_each_are_enough(seed: int) -> None:
    vectors, person = poor_people([25] * 20, np.random.default_rng(seed), least=0.35)
    told = score(person, grouped(vectors)).bcubed
    assert told.f1 > 0.9
    assert told.precision > 0.99


def small_crowd(seed: int) -> tuple[F32, I64]:
    """Some 50 faces of 18 children, too few to be nearest to each other, beside three people."""
    random = np.random.default_rng(seed)
    crowd, child = draw(random.integers(1, 6, 18).tolist(), (random.uniform(0.34, 0.4), 0.56), random)
    rest, other = draw([40, 8, 5], EVERYBODY, random)
    return np.concatenate([crowd, rest]), np.concatenate([child, 18 + other])


def of_quality(vectors_nd: F32, quality: float, constraints: Constraints | None = None) -> I64:
    quality_n = np.full(len(vectors_nd), quality, np.float32)
    found = cluster_faces(
        vectors_nd, GroupingSettings(), curve=SFACE_CURVE, constraints=constraints, quality_n=quality_n
    )
    return found.labels


def test_a_small_crowd_beside_few_others_is_not_one_person() -> None:
    made = [small_crowd(seed) for seed in range(20)]
    found = [of_quality(vectors, 1.0) for vectors, _ in made]
    most = [strays(labels, person) for labels, (_, person) in zip(found, made, strict=True)]
    assert sum(share > 0.05 for share in most) <= 1  # 19 of 20 without
    assert all(np.bincount(labels).max() >= 38 for labels in found)  # who is large stays whole


def test_a_crowd_of_poor_pictures_can_not_be_told_from_one_person() -> None:
    vectors, person = small_crowd(0)
    labels = of_quality(vectors, 0.4)
    assert strays(labels, person) > 0.8
    assert np.array_equal(labels, grouped(vectors))


def test_the_estimator_takes_how_good_the_pictures_are() -> None:
    vectors, person = small_crowd(0)
    clusterer = FaceClusterer(impostor_curve=SFACE_CURVE, singletons="clusters")
    assert strays(clusterer.fit(vectors).labels_, person) > 0.8
    assert strays(clusterer.fit(vectors, quality=np.ones(len(vectors))).labels_, person) == 0
    with pytest.raises(SettingsError, match="Quality of shape"):
        clusterer.fit(vectors, quality=np.ones(3))
    for bad in (np.nan, 70):
        with pytest.raises(SettingsError, match="no number from 0 to 1"):
            clusterer.fit(vectors, quality=np.full(len(vectors), bad))


def test_whom_somebody_said_to_be_one_is_no_crowd() -> None:
    vectors, _ = small_crowd(0)
    said = np.stack([np.zeros(30, np.int64), np.arange(1, 31)], axis=1)
    labels = of_quality(vectors, 1.0, Constraints(len(vectors), same_m2=said))
    assert len(np.unique(labels[:31])) == 1


@pytest.mark.parametrize("copies", [1, 2])
def test_whom_somebody_said_to_be_one_stays_so_by_faces_that_are_not_looked_at(
    copies: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns, dissolve = list[int](), Clusters.dissolve

    def counted(clusters: Clusters, slots: I64) -> None:
        turns.append(len(slots))
        assert len(turns) < 10  # without end, for what rounding makes of a mean
        dissolve(clusters, slots)

    monkeypatch.setattr(Clusters, "dissolve", counted)
    monkeypatch.setattr(refine, "SAMPLE", 40)
    strangers, _ = draw([1] * 80, (0.35, 0.56), np.random.default_rng(3))
    vectors = np.repeat(strangers[canonical_order(unit_rows(strangers))], copies, axis=0)
    row = np.arange(copies - 1, len(vectors), copies)  # each is tied to the next, by its last copy
    said = Constraints(len(vectors), same_m2=np.stack([row[:-1], row[1:]], axis=1))
    assert len(np.unique(of_quality(vectors, 1.0, said))) == 1
    assert len(turns) == (0 if copies == 1 else 2)


@pytest.mark.parametrize("seed", range(3))
def test_a_person_whose_pictures_are_little_alike_is_no_crowd(seed: int) -> None:
    random = np.random.default_rng(seed)
    rest, _ = draw([1, 30, 10, 5], EVERYBODY, random)
    typical = np.clip(random.normal(0.63, 0.12, 50), 0.2, 0.95)[:, None]
    noise = random.normal(size=(50, 128))
    noise -= (noise @ rest[0])[:, None] * rest[0]
    noise *= np.sqrt(1 - typical**2) / np.linalg.norm(noise, axis=1, keepdims=True)
    labels = of_quality(np.concatenate([typical * rest[0] + noise, rest[1:]]).astype(np.float32), 1.0)
    assert np.bincount(labels).max() >= 48


def test_the_merges_of_a_crowd_that_was_taken_apart_lead_to_its_people() -> None:
    vectors, _ = small_crowd(0)
    found = cluster_faces(vectors, GroupingSettings(), curve=SFACE_CURVE, quality_n=np.ones(len(vectors), np.float32))
    kept = np.arange(len(vectors) + len(found.merges.first))
    for made, pair in enumerate(zip(found.merges.first, found.merges.second, strict=True), len(vectors)):
        kept[[*pair]] = made
    while not np.array_equal(kept, kept[kept]):
        kept = kept[kept]
    person = kept[: len(vectors)]
    assert len(np.unique(person)) == len(np.unique(found.labels)) == len(np.unique(person * 1000 + found.labels))


def test_pieces_of_one_person_make_no_crowd() -> None:
    random = np.random.default_rng(5)
    looks, _ = draw([5] * 30, (0.4, 0.6), random)  # of one person
    rest, _ = draw([4] * 150, EVERYBODY, random)
    vectors = np.concatenate([looks, rest])
    means = np.concatenate([looks.reshape(-1, 5, 128).mean(axis=1), rest.reshape(-1, 4, 128).mean(axis=1)])
    size, person = np.repeat([5, 4], [30, 150]), np.concatenate([np.zeros(30), np.arange(1, 151)])
    strangers, one = (local_excess(vectors, means, size, SFACE_CURVE, person_c=of) for of in (None, person))
    assert strangers[:150].mean() > 0.15
    assert one[:150].max() < 0.03


def test_a_place_is_as_crowded_as_its_people_are_alike() -> None:
    random = np.random.default_rng(0)
    crowd, _ = draw([4] * 60, CHILDREN, random)
    rest, _ = draw([4] * 300, EVERYBODY, random)
    vectors = np.concatenate([crowd, rest])
    means, size = vectors.reshape(-1, 4, 128).mean(axis=1), np.full(360, 4)
    excess = local_excess(vectors, means, size, SFACE_CURVE)
    assert excess[: len(crowd)].min() > 0.05
    assert excess[len(crowd) :].mean() < 0.01


def test_the_notes_say_how_many_faces_are_in_crowds() -> None:
    random = np.random.default_rng(0)
    crowd, _ = draw([4] * 60, CHILDREN, random)
    rest, _ = draw([4] * 150, EVERYBODY, random)
    both, none = (
        cluster_faces(vectors, GroupingSettings(), curve=SFACE_CURVE)
        for vectors in (np.concatenate([crowd, rest]), rest)
    )
    assert 200 <= dict(both.notes)["crowded"] <= 250
    assert dict(none.notes)["crowded"] == 0
    told, silent = (
        "\n".join(summary_lines(Added(1, 1, 0, 0, 0, 0, 0), Summary(1, 210, 840, 800, (), {}, dict(of.notes))))
        for of in (both, none)
    )
    assert "who all look alike, as small children do" in told
    assert "look alike" not in silent


def test_strangers_in_a_crowd_are_not_taken_for_one_person() -> None:
    random = np.random.default_rng(3)
    crowd, child = draw([6] * 80, CHILDREN, random)
    rest, other = draw([6] * 300, EVERYBODY, random)
    vectors, person = np.concatenate([crowd, rest]), np.concatenate([child, 80 + other])
    known = (person % 2 == 1) & (np.arange(len(person)) % 6 > 0)  # half of the people, without a face of each
    assert not (likely_pairs(*label_means(vectors, person), SFACE_CURVE)[1] > 0.5).any()
    labels = np.unique(person[known], return_inverse=True)[1]
    found = Assigner(vectors[known], labels, SFACE_CURVE).assign_many(vectors[~known])
    right = np.isin(person[~known], person[known])
    accepted = np.array([one.label is not None for one in found])
    chance = np.array([one.probability for one in found])
    assert (accepted & ~right).sum() <= 0.02 * (~right).sum()
    assert accepted[right & (person[~known] >= 80)].mean() > 0.95
    assert chance[~right].mean() < 0.02


def test_faces_put_with_a_stranger_in_a_crowd_are_doubted() -> None:
    random = np.random.default_rng(4)
    crowd, child = draw([6] * 80, (0.3, 0.62), random)
    rest, other = draw([6] * 300, EVERYBODY, random)
    labels, planted = np.concatenate([child, 80 + other]), np.arange(0, 240, 6)
    labels[planted] = 40 + labels[planted]
    chance = face_probabilities(np.concatenate([crowd, rest]), labels, SFACE_CURVE)
    assert np.median(chance[planted]) < 0.2
    assert np.median(np.delete(chance, planted)[:400]) > 0.8


def test_strangers_as_on_the_card_crowd_nowhere() -> None:
    random = np.random.default_rng(1)
    means = random.normal(size=(1500, 64)) / 8
    curve = ImpostorModel(mean=0.0, people=1 / 64 - 2e-9, faces=1e-9, pairs=0.0)
    assert local_excess(means[:200].astype(np.float32), means.astype(np.float32), np.full(1500, 2), curve).mean() < 0.02


def test_too_few_clusters_tell_nothing() -> None:
    vectors = np.eye(128, dtype=np.float32)[:40]
    assert not local_excess(vectors, vectors[:2], np.full(2, 9), SFACE_CURVE).any()
    assert not local_excess(vectors, vectors, np.ones(40, np.int64), SFACE_CURVE).any()
    assert not local_excess(vectors[:0], vectors[:9], np.full(9, 9), SFACE_CURVE).size


def test_one_person_is_no_crowd() -> None:
    vectors, _ = draw([250], EVERYBODY, np.random.default_rng(2))
    assert np.bincount(grouped(vectors)).max() >= 249

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

import unmingle
from unmingle.errors import ConstraintError, SettingsError
from unmingle.estimator import FaceClusterer
from unmingle.grouping.impostors import SFACE_CURVE


def expected_failures(_: FaceClusterer) -> dict[str, str]:
    return {
        "check_estimators_dtypes": "numbers below 1 become rows of zeros as integers, and those have no direction",
    }


@pytest.mark.filterwarnings("ignore::unmingle.errors.EmbeddingWarning")  # its data are no faces
@parametrize_with_checks([FaceClusterer()], expected_failed_checks=expected_failures)  # type: ignore[untyped-decorator]
def test_it_is_a_scikit_learn_estimator(estimator: FaceClusterer, check: Any) -> None:
    check(estimator)


def faces(sizes: list[int], seed: int = 0) -> tuple[Any, Any]:
    random = np.random.default_rng(seed)
    person = np.repeat(np.arange(len(sizes)), sizes)
    return random.normal(size=(len(sizes), 128))[person] + 0.6 * random.normal(size=(len(person), 128)), person


def test_people_are_found_and_single_faces_are_noise() -> None:
    vectors, person = faces([12, 9, 7, 4, 1, 1])
    clusterer = FaceClusterer()
    labels = clusterer.fit_predict(vectors)
    assert labels.tolist() == np.where(person < 4, person, -1).tolist()
    assert clusterer.n_people_ == 4
    assert clusterer.n_features_in_ == 128
    assert len(clusterer.merges_) == len(vectors) - 6
    assert clusterer.notes_["bar_single"] > 0


def test_single_faces_can_be_clusters() -> None:
    vectors, _ = faces([12, 9, 1, 1])
    clusterer = FaceClusterer(singletons="clusters").fit(vectors)
    assert sorted(clusterer.labels_[-2:].tolist()) == [2, 3]
    assert clusterer.n_people_ == 4


def test_a_given_number_is_kept_and_leaves_no_noise() -> None:
    vectors, _ = faces([12, 9, 1, 1])
    for people in (1, 2, 3, 4, 9):
        labels = FaceClusterer(people=people).fit_predict(vectors)
        assert np.unique(labels).tolist() == list(range(people))


def test_the_curve_of_the_model_can_be_given() -> None:
    vectors, _ = faces([30])
    assert FaceClusterer(impostor_curve=SFACE_CURVE).fit(vectors).n_people_ == 1


def test_nothing_but_noise() -> None:
    clusterer = FaceClusterer().fit(np.eye(128)[:5])
    assert clusterer.labels_.tolist() == [-1] * 5
    assert clusterer.n_people_ == 0


@pytest.mark.parametrize(
    "settings", [{"people": 0}, {"people": 99}, {"expected_false_merges": 0}, {"singletons": "none"}]
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        FaceClusterer(**settings).fit(faces([5])[0])


def test_it_is_found_in_the_package_which_itself_stays_light() -> None:
    assert unmingle.FaceClusterer is FaceClusterer
    code = "import sys, unmingle; sys.exit('sklearn' in sys.modules or 'scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_constraints_are_heeded() -> None:
    vectors, person = faces([12, 9, 7])
    one, two, three = (np.flatnonzero(person == who) for who in range(3))
    told = FaceClusterer().fit(vectors, same=[[one[0], two[0]]], different=[[three[0], three[1]]])
    assert told.labels_[one[0]] == told.labels_[two[0]]
    assert told.labels_[three[0]] != told.labels_[three[1]]
    seen = FaceClusterer().fit(vectors, frames=np.where(person == 0, 5, -1))
    assert seen.notes_["same_frame_pairs"] == 66
    with pytest.raises(SettingsError, match="Frames of shape"):
        FaceClusterer().fit(vectors, frames=[1, 2])
    for curve, pairs in (("sface", []), (None, [[0, 1, 2], [3, 4, 5]]), (None, np.eye(2) > 0), (None, [[0.5, 1]])):
        with pytest.raises(SettingsError, match=r"impostor_curve is|same is an array of"):
            FaceClusterer(impostor_curve=curve).fit(vectors, same=pairs)  # type: ignore[arg-type]
    with pytest.raises(ConstraintError, match="Faces 3 and 5"):
        FaceClusterer().fit(vectors, same=[[3, 4], [4, 5]], different=[[3, 5]])


@pytest.mark.parametrize("missing", [-1, None, float("nan"), "", "<NA>"])
def test_frames_may_be_names_and_instants(missing: object) -> None:
    vectors, person = faces([12, 9, 7])
    for frames in ([f"IMG_{i // 2}.jpg" for i in range(len(person))], np.arange(len(person)) // 2 / 100):
        clusterer = FaceClusterer().fit(vectors, frames=np.array([*frames[:-2], missing, missing], object))
        assert clusterer.notes_["same_frame_pairs"] == len(person) // 2 - 1


def test_new_faces_find_their_people() -> None:
    vectors, person = faces([12, 9, 7, 4])
    new, whose = faces([12, 9, 7, 4, 6])  # the same four people, and one more
    clusterer = FaceClusterer(impostor_curve=SFACE_CURVE).fit(vectors)
    assert np.array_equal(clusterer.labels_, person)
    found = clusterer.predict(new + 0.1)
    assert np.array_equal(found, np.where(whose < 4, whose, -1))
    assert ((clusterer.probabilities_ >= 0) & (clusterer.probabilities_ <= 1)).all()
    assert np.median(clusterer.probabilities_) > 0.9


def test_frames_are_taken_as_scikit_learn_takes_them() -> None:
    vectors, person = faces([12, 9, 7])
    names = [f"v{i}" for i in range(vectors.shape[1])]
    frame = pl.DataFrame(vectors, schema=names)
    clusterer = FaceClusterer(impostor_curve=SFACE_CURVE).set_params(expected_false_merges=0.1)
    assert np.array_equal(clusterer.fit_predict(frame, frames=np.full(len(person), -1)), person)
    assert clusterer.feature_names_in_.tolist() == names
    assert np.array_equal(clusterer.predict(frame), person)
    with pytest.raises(ValueError, match="feature names"):
        clusterer.predict(frame.select(reversed(names)))
    # It makes labels and no columns, so there is no output to set.
    assert not hasattr(clusterer, "transform")


def arrow(rows: list[list[float]]) -> Any:
    return pytest.importorskip("pyarrow").chunked_array([rows[:5], rows[5:]])


@pytest.mark.parametrize(
    "table", [pl.Series, pd.Series, lambda rows: pd.Series(map(np.array, rows), range(7, 35)), arrow]
)
def test_a_column_of_vectors_is_taken(table: Any) -> None:
    vectors, person = faces([12, 9, 7])
    clusterer = FaceClusterer(impostor_curve=SFACE_CURVE)
    assert np.array_equal(clusterer.fit_predict(table(vectors.tolist())), person)
    assert np.array_equal(clusterer.predict(table(vectors.tolist())), person)
    for odd in ([1.0], None):
        with pytest.raises(ValueError, match="Row 27 is no vector of 128 numbers"):
            clusterer.fit(table([*vectors.tolist()[1:], odd]))

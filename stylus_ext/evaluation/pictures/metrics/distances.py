"""Distances between the features of two sets of pictures: Fréchet, polynomial and Gaussian kernel.

They give torchmetrics' values for FID and KID. Its classes measure one set of pictures once; these
prepare the features, so that thousands of subsets are measured in little time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from stylus_ext.core.ports import Progress
from stylus_ext.evaluation.pictures.metrics import LOWER, Measure, PictureSet, Unit
from stylus_ext.evaluation.pictures.metrics.features import FeatureExtractor

Matrix = NDArray[np.float64]
Kernel = Callable[[Matrix, Matrix], Matrix]

LEAST_PROMPTS = 4
_LEAST_REAL = 2
_GAUSS_WIDTH, _GAUSS_FACTOR = 10.0, 1000.0
_MOST_DOUBLES = 5000
"""Up to this many units, their sums of kernels are kept in double precision."""


class Distance(Protocol):
    def prepare(self, real: Matrix, units: Mapping[Unit, Matrix]) -> Measure: ...


@dataclass(frozen=True, slots=True)
class DistanceToReal:
    """A distance between the features of an arm's pictures and of real pictures."""

    name: str
    about: str
    extractor: FeatureExtractor
    distance: Distance
    real: Sequence[Path]
    better: str = LOWER

    @property
    def real_pictures(self) -> int:
        return len(self.real)

    def missing(self, pictures: PictureSet) -> str:
        if len(self.real) < _LEAST_REAL:
            return "It needs a folder of real pictures: --reference-pictures DIR."
        if len({each.prompt for each in pictures.pictures}) < LEAST_PROMPTS:
            return f"It needs pictures of {LEAST_PROMPTS} prompts or more."
        return self.extractor.missing()

    def measure(self, pictures: PictureSet, arms: Sequence[str], progress: Progress) -> Measure:
        units = {
            (arm, prompt): _matrix(
                self.extractor.of([pictures.file(each) for each in group], progress)
            )
            for arm, prompt, group in pictures.groups()
            if arm in arms
        }
        return self.distance.prepare(_matrix(self.extractor.of(self.real, progress)), units)


def _matrix(rows: Sequence[NDArray[np.float32]]) -> Matrix:
    return np.stack(rows).astype(np.float64)


class Frechet:
    """The Fréchet distance of two Gaussians with the means and covariances of the features."""

    def prepare(self, real: Matrix, units: Mapping[Unit, Matrix]) -> Measure:
        mean = real.mean(axis=0)
        covariance = np.cov(real, rowvar=False)
        root = _root(covariance)
        trace = float(np.trace(covariance))
        rooted = {unit: rows @ root for unit, rows in units.items()}

        def value(chosen: Sequence[Unit]) -> float:
            rows = np.concatenate([units[unit] for unit in chosen])
            difference = rows.mean(axis=0) - mean
            own_trace = float(rows.var(axis=0, ddof=1).sum())
            common = _sum_of_singular_values(np.concatenate([rooted[unit] for unit in chosen]))
            return float(difference @ difference) + own_trace + trace - 2 * common

        return value


def _root(covariance: Matrix) -> Matrix:
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray((vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T)


def _sum_of_singular_values(rows: Matrix) -> float:
    """Of the centred rows, as for a covariance: the trace of the root of its square."""
    centred = (rows - rows.mean(axis=0)) / np.sqrt(len(rows) - 1)
    small = centred @ centred.T if len(rows) < rows.shape[1] else centred.T @ centred
    return float(np.sqrt(np.clip(np.linalg.eigvalsh(small), 0, None)).sum())


_BLOCK = 1000


@dataclass(frozen=True, slots=True)
class KernelDistance:
    """The squared maximum mean discrepancy; `unbiased` leaves out each picture with itself."""

    kernel: Kernel
    unbiased: bool
    factor: float = 1.0

    def prepare(self, real: Matrix, units: Mapping[Unit, Matrix]) -> Measure:
        place = {unit: number for number, unit in enumerate(units)}
        sizes = np.array([len(rows) for rows in units.values()])
        between, itself, to_real = self._sums(real, list(units.values()))
        of_real = self._sum_of_real(real) / self._pairs(len(real))

        def value(chosen: Sequence[Unit]) -> float:
            places = [place[unit] for unit in chosen]
            count = int(sizes[places].sum())
            own = float(between[np.ix_(places, places)].sum(dtype=np.float64))
            if self.unbiased:
                own -= float(itself[places].sum())
            cross = float(to_real[places].sum()) / (count * len(real))
            return self.factor * (own / self._pairs(count) + of_real - 2 * cross)

        return value

    def _sum_of_real(self, real: Matrix) -> float:
        """In blocks, since tens of thousands of pictures are no rare reference."""
        total = 0.0
        for start in range(0, len(real), _BLOCK):
            block = self.kernel(real[start : start + _BLOCK], real)
            total += float(block.sum())
            if self.unbiased:
                total -= float(np.trace(block, offset=start))
        return total

    def _pairs(self, count: int) -> int:
        return count * (count - 1 if self.unbiased else count)

    def _sums(self, real: Matrix, units: Sequence[Matrix]) -> tuple[NDArray[Any], Matrix, Matrix]:
        """Sums of the kernel: between units, of each picture with itself, and with real ones."""
        rows = np.concatenate(units)
        starts = np.cumsum([0, *(len(each) for each in units)])[:-1]
        kind = np.float64 if len(units) <= _MOST_DOUBLES else np.float32
        between: NDArray[Any] = np.empty((len(units), len(units)), kind)
        itself, to_real = np.empty(len(units)), np.empty(len(units))
        for number, each in enumerate(units):
            own = self.kernel(each, rows)
            between[number] = np.add.reduceat(own.sum(axis=0), starts)
            start = starts[number]
            itself[number] = np.trace(own[:, start : start + len(each)])
            to_real[number] = self.kernel(each, real).sum()
        return between, itself, to_real


def polynomial(one: Matrix, other: Matrix) -> Matrix:
    """KID's kernel."""
    return np.asarray((one @ other.T / one.shape[1] + 1) ** 3)


def gaussian(one: Matrix, other: Matrix) -> Matrix:
    """CMMD's kernel."""
    squares = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1) - 2 * one @ other.T
    return np.asarray(np.exp(-squares / (2 * _GAUSS_WIDTH**2)))


KID = KernelDistance(polynomial, unbiased=True)
CMMD = KernelDistance(gaussian, unbiased=False, factor=_GAUSS_FACTOR)

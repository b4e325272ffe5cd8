"""kill -9 at any moment: finished changes are kept, and Chroma and the cache agree."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.catalogue.vectors.test_chroma_index import agree
from tests.catalogue.vectors.writer import STEPS

ROOT = Path(__file__).resolve().parents[3]


def killed(
    folder: Path, turn: int, after: float, between: str = ""
) -> list[tuple[str, dict[str, str | None]]]:
    """What the writer had said when it died, by its own hand or `after` seconds from its first
    change on; every other time that counts from when the change began, Chroma's opening included,
    else from when it had returned.
    """
    command = [
        sys.executable,
        "-m",
        "tests.catalogue.vectors.writer",
        str(folder),
        str(turn),
        between,
    ]
    said = folder.parent / f"said-{turn}"
    with said.open("wb") as out, subprocess.Popen(command, stdout=out, cwd=ROOT) as writer:
        patience, sign = time.monotonic() + 60, b"begin" if turn % 2 else b"done"
        while (
            sign not in said.read_bytes() and writer.poll() is None and time.monotonic() < patience
        ):
            time.sleep(0.01)
        if between:
            writer.wait(60)
        time.sleep(after)
        writer.kill()
    assert writer.returncode == -9, writer.returncode
    whole = said.read_bytes().rpartition(b"\n")[0]
    return [(line[0], line[1]) for line in map(json.loads, whole.splitlines())]


def check(
    folder: Path, certain: dict[str, str | None], said: list[tuple[str, dict[str, str | None]]]
) -> None:
    """Updates `certain` to what must be so now; keys of the change that was under way may be
    either.
    """
    under_way: dict[str, str | None] = {}
    for what, changes in said:
        under_way = changes if what == "begin" else {}
        if what == "done":
            certain.update(changes)
    found = {str(key): value for key, value in agree(folder).items()}
    for key in {*certain, *found}:
        possible = {certain.get(key)} | ({under_way[key]} if key in under_way else set())
        assert found.get(key) in possible, key
        certain[key] = found.get(key)


def campaign(folder: Path, kills: int, seed: int) -> None:
    rng, certain = random.Random(seed), dict[str, str | None]()
    for turn in range(kills):
        said = killed(folder, turn, rng.uniform(0.05, 1.5))
        check(folder, certain, said)
    assert any(certain.values())


def test_killed_at_random_moments(tmp_path: Path) -> None:
    campaign(tmp_path / "vectors", 3, seed=1)


@pytest.mark.long
def test_killed_very_often(tmp_path: Path) -> None:
    campaign(tmp_path / "vectors", 40, seed=2)


def killed_at(tmp_path: Path, steps: Sequence[str]) -> None:
    """Kill one writer at each of these steps, in one folder."""
    folder, certain = tmp_path / "vectors", dict[str, str | None]()
    for turn, step in enumerate(steps):
        check(folder, certain, killed(folder, turn, 0, step))
    assert any(certain.values())


def test_killed_between_chroma_and_the_cache(tmp_path: Path) -> None:
    killed_at(tmp_path, ["append", "drop", "state", "mark"])


@pytest.mark.long
@pytest.mark.parametrize("after", ["", "+"])
def test_killed_at_every_step(tmp_path: Path, after: str) -> None:
    killed_at(tmp_path, [step + after for step in STEPS] * 2)

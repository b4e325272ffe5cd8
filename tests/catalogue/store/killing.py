"""A program that writes into a store, killed at some moment, and a campaign of such kills."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[3]

Finished = list[tuple[str, int]]
"""What it said that it had done, and of which number."""


def killed(program: str, folder: Path, start: int, lines: int, more_s: float) -> Finished:
    """What a program of this folder said before it was killed: some lines, and a moment more."""
    command = [sys.executable, "-m", f"tests.catalogue.store.{program}", str(folder), str(start)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True) as child:
        assert child.stdout is not None
        said = [child.stdout.readline() for _ in range(lines)]
        time.sleep(more_s)
        child.kill()
        said += child.stdout.readlines()
    return [
        (words[0], int(words[1]))
        for line in said
        if line.endswith("\n") and (words := line.split())
    ]


def campaign(
    program: str, folder: Path, check: Callable[[Path, Finished], None], rounds: int, seed: int
) -> Finished:
    """Kill after kill in one folder; after each, `check` has all that was said to be done."""
    rng = random.Random(seed)
    finished: Finished = []
    for _ in range(rounds):
        start = max((number for _, number in finished), default=-1) + 2
        finished += killed(program, folder, start, rng.randrange(1, 40), rng.random() * 0.05)
        check(folder, finished)
    return finished

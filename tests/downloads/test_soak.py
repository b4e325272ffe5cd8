"""Five hundred downloads with random faults, stops and kills: all end right."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stylus_ext.core.errors import Cancelled, StylusError
from tests.civitai_service.faults import Fault
from tests.civitai_service.service import CivitaiService, serving
from tests.downloads.workbench import Bench, bench_over, lora_bytes, sha256

STORAGE = r"^/bucket/"
ROUNDS, A_ROUND = 25, 20


def a_fault(rng: random.Random, size: int) -> Fault:
    at = rng.randrange(size)
    return rng.choice(
        [
            Fault(STORAGE, on="storage", cut_at=at),
            Fault(STORAGE, on="storage", end_at=at),
            Fault(STORAGE, on="storage", whole=True),
            Fault(STORAGE, on="storage", status=rng.choice([400, 403, 500, 503])),
            Fault(STORAGE, on="storage", headless=True),
            Fault(STORAGE, on="storage", headers={"ETag": '"another"'}),
            Fault(STORAGE, on="storage", chunked=True, end_at=at),
            Fault(STORAGE, on="storage", pace=rng.choice([30_000, 200_000])),
            Fault(STORAGE, on="storage", stall_at=at),
            Fault(r"^/api/", status=rng.choice([429, 502]), times=2),
            Fault(r"^/api/", headless=True),
            Fault("", delay_s=0.3),
        ]
    )


def process(civitai: CivitaiService, bench: Bench, versions: list[int]) -> subprocess.Popen[str]:
    words = [civitai.api, str(bench.root), str(bench.data), *map(str, versions)]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.downloads.one_process", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).resolve().parents[2],
    )


class Impatient:
    def __init__(self, seconds: float) -> None:
        self.until = time.monotonic() + seconds

    def report(self, step: str, done: int, total: int | None = None) -> None:
        if time.monotonic() > self.until:
            raise Cancelled("Stopped, as you asked.")


@pytest.mark.long
def test_a_soak_of_faults_stops_and_kills_ends_right(tmp_path: Path) -> None:
    rng = random.Random(4)
    requested = 0
    with serving() as civitai, bench_over(civitai, tmp_path) as bench:
        bodies = {
            number: bench.publish(number, lora_bytes(number))
            for number in range(1000, 1000 + ROUNDS * A_ROUND)
        }
        for first in range(1000, 1000 + ROUNDS * A_ROUND, A_ROUND):
            versions = list(range(first, first + A_ROUND))
            civitai.faults.add(
                *(a_fault(rng, len(bodies[first])) for _ in range(rng.randrange(5, 25)))
            )
            children = [process(civitai, bench, versions) for _ in range(2)]
            time.sleep(rng.uniform(1.0, 6.0))
            killed = rng.choice(children)
            killed.send_signal(signal.SIGKILL)
            try:
                bench.fetch(rng.choice(versions), Impatient(rng.uniform(0.0, 0.5)))
            except StylusError:  # stopped, or so many faults at once that there is a sentence
                requested += 1
            survivor = next(child for child in children if child is not killed)
            killed.communicate()
            out, err = survivor.communicate(timeout=300)
            assert survivor.returncode == 0, err
            bench.check(*bodies.values(), killed=True)
            civitai.faults.clear()
            left = [
                int(number)
                for number in map(str, versions)
                if number not in json.loads(out)["fetched"]
            ]
            for number in (
                left
            ):  # a fault that lasted too long for one try has a sentence; the next try succeeds
                assert bench.fetch(number).sha256 == sha256(bodies[number])
            requested += A_ROUND
        bench.check(*bodies.values(), killed=True)
        assert sorted(map(sha256, bench.loras().values())) == sorted(
            map(sha256, bodies.values())
        ), "each once, whatever happened"
        assert requested >= ROUNDS * A_ROUND == 500

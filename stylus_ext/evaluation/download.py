"""Measure a download against curl and sha256sum, its memory, and the delay of a stop.

The download is measured in a process of its own.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from stylus_ext.core.card import AdapterCard, AdapterKey, RemoteFile
from stylus_ext.core.errors import Cancelled, StylusError, Unavailable
from stylus_ext.core.fetching import MB, DownloadOffer
from stylus_ext.core.ports import Progress
from stylus_ext.core.sources import Check
from stylus_ext.downloads import Budget, FileDownloader, Ledger, LoraFolderWriter, Receiver
from stylus_ext.downloads.fetch import FetchMissing
from stylus_ext.evaluation.measuring import Command, figure_lines
from stylus_ext.evaluation.servers import serving
from stylus_ext.net import Http, HttpRefusal

ROUNDS = 3
STOPS = 5
_CARD = AdapterCard(
    AdapterKey.civitai(1), "Measured", "civitai", remote=RemoteFile("measured.safetensors", 0)
)


def measure(folder: Path, size_mb: int, command: Command, progress: Progress) -> dict[str, Any]:
    for tool in ("curl", "sha256sum"):
        if shutil.which(tool) is None:
            raise Unavailable(f"{tool} is not installed here; downloads are compared with it.")
    progress.report("writing a file", 0, 1)
    served = folder / "served.safetensors"
    digest = write_file(served, size_mb * MB)
    theirs, ours = [], []
    with serving("file", served) as address:
        url = f"{address}/file"
        for number in range(ROUNDS):
            progress.report("downloading", number, ROUNDS)
            theirs.append(_curl(url, folder / "curl.out"))
            ours.append(_run_measured(command, folder, "round", url, digest, size_mb))
        progress.report("stopping", 0, 1)
        stopped = _run_measured(command, folder, "stop", url, digest, size_mb)
    ours_s = [run["seconds"] for run in ours]
    return {
        "ratio_to_curl": round(median(theirs) / median(ours_s), 3),
        "peak_memory_mb": round(max(run["peak_mb"] for run in ours), 1),
        "memory_growth_mb": round(max(run["grown_mb"] for run in ours), 1),
        "cancel_ms": round(max(stopped["cancel_ms"]), 1),
        "seconds": round(median(ours_s), 3),
        "curl_seconds": round(median(theirs), 3),
        "size_mb": size_mb,
    }


def write_file(path: Path, size: int) -> str:
    """Write a safetensors file of about this size; return its SHA256."""
    block = hashlib.shake_256(b"measured").digest(MB)
    size = size // MB * MB
    tensor = {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}
    header = json.dumps({"a.lora_up.weight": tensor}).encode()
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for piece in (struct.pack("<Q", len(header)) + header, *(block for _ in range(size // MB))):
            file.write(piece)
            digest.update(piece)
    return digest.hexdigest()


def _curl(url: str, out: Path) -> float:
    began = time.perf_counter()
    subprocess.run(["curl", "-s", "-f", "-o", str(out), url], check=True)
    subprocess.run(["sha256sum", str(out)], check=True, stdout=subprocess.DEVNULL)
    took = time.perf_counter() - began
    out.unlink()
    return took


def _run_measured(command: Command, folder: Path, *words: Any) -> dict[str, Any]:
    here = folder / "ours"
    here.mkdir()
    ran = subprocess.run(
        [*command("stylus_ext.evaluation.download", str(here), *map(str, words))],
        text=True,
        capture_output=True,
        check=False,
    )
    shutil.rmtree(here)
    if ran.returncode:
        last = ran.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        raise Unavailable(f"The measured download ended early: {last}")
    answer: dict[str, Any] = json.loads(ran.stdout)
    return answer


def main(words: Sequence[str]) -> int:
    """Run in the measured process: folder, kind, address, hash and size."""
    folder, kind, url, digest, size_mb = words
    measured = _measure_download if kind == "round" else _measure_stops
    found = measured(Path(folder), url, digest, int(size_mb) * MB)
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


class StoppableProgress:
    """Progress that can request a stop, and counts bytes."""

    def __init__(self) -> None:
        self.stop, self.bytes = threading.Event(), 0

    def report(self, step: str, done: int, total: int | None = None) -> None:  # noqa: ARG002
        self.bytes = done
        if self.stop.is_set():
            raise Cancelled("Stopped.")


@dataclass(frozen=True, slots=True)
class _OneAddress:
    """A source that offers one file for every card."""

    url: str
    size: int
    sha256: str
    name: str = "the address"

    def offer(self, card: AdapterCard, check: Check) -> DownloadOffer:  # noqa: ARG002
        return DownloadOffer("", self.size, self.sha256, self.url, scanned=True)

    def refused(self, refusal: HttpRefusal, card: AdapterCard) -> StylusError:  # noqa: ARG002
        return refusal


@contextmanager
def _one_address(url: str, size: int, sha256: str, folder: Path) -> Iterator[FileDownloader]:
    """A downloader of the file at one address into `folder`."""
    ledger, http = Ledger(folder), Http()
    try:
        yield FileDownloader(
            _OneAddress(url, size, sha256),
            Receiver(http),
            LoraFolderWriter(folder),
            Budget(size + MB, size + MB, 0, ledger),
            ledger,
        )
    finally:
        http.close()


def _measure_download(folder: Path, url: str, digest: str, size: int) -> dict[str, Any]:
    with _one_address(url, size, digest, folder) as downloader:
        before = _memory_mb()
        began = time.perf_counter()
        report = FetchMissing(downloader)([_CARD], StoppableProgress())
        took = time.perf_counter() - began
    if not report.fetched or not report.fetched[0].new:
        failures = [failure.text for failure in report.failed]
        raise Unavailable(f"The measured download failed: {failures}")
    return {"seconds": took, "peak_mb": _memory_mb(), "grown_mb": _memory_mb() - before}


def _measure_stops(folder: Path, url: str, digest: str, size: int) -> dict[str, Any]:
    """Measure from the request to stop to the end of the call, in the middle of a file."""
    took = []
    for number in range(STOPS):
        target = folder / str(number)
        target.mkdir()
        progress, requested = StoppableProgress(), list[float]()

        def stop(progress: StoppableProgress = progress, at: list[float] = requested) -> None:
            while progress.bytes < size // 3:
                time.sleep(0.005)
            at.append(time.perf_counter())
            progress.stop.set()

        with _one_address(url, size, digest, target) as downloader:
            threading.Thread(target=stop, daemon=True).start()
            try:
                FetchMissing(downloader)([_CARD], progress)
            except Cancelled:
                took.append((time.perf_counter() - requested[0]) * 1000)
        shutil.rmtree(target)
    if not took:
        raise Unavailable("Every download ended before it was stopped. Use a larger file.")
    return {"cancel_ms": took}


def _memory_mb() -> float:
    """Return this process's peak memory; on Linux without that of its parent."""
    status = Path("/proc/self/status")
    if status.exists():
        peak = status.read_text("ascii").partition("VmHWM:")[2]
        return int(peak.split()[0]) / 1024
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (MB if sys.platform == "darwin" else 1024)


lines = figure_lines({"ratio_to_curl": ">= 0.8", "cancel_ms": "<= 200"})

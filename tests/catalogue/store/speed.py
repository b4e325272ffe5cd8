"""Fills a store with real-looking entries and times it: `python -m tests.catalogue.store.speed
FOLDER [ENTRIES]`.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from pathlib import Path

from stylus_ext.catalogue.store.sqlite import SqliteStore
from stylus_ext.core.card import AdapterKey, Example, LocalFile, RemoteFile
from stylus_ext.core.entry import KINDS, Edits, Entry
from stylus_ext.core.ports import Filter, Page
from tests.fakes import make_entry

_SYLLABLES = "ka re mi to na shi lo ver da en stra qui po li gra bel um sa the or in al".split()
_BATCH = 10_000


@dataclass(frozen=True)
class Timing:
    """Milliseconds, of the clock and of the processor; the latter says more on a busy machine."""

    p50: float
    p95: float
    processor_p95: float

    def __str__(self) -> str:
        return (
            f"p50 {self.p50:.1f} ms, p95 {self.p95:.1f} ms, p95 of the processor"
            f" {self.processor_p95:.1f} ms"
        )


class Words:
    """A vocabulary in which, as in real texts, few words are frequent and many are rare."""

    def __init__(self, rng: random.Random, size: int = 20_000) -> None:
        self._rng = rng
        self.words = ["".join(rng.choices(_SYLLABLES, k=rng.randint(1, 4))) for _ in range(size)]
        self._weights = list(accumulate(1 / rank for rank in range(1, size + 1)))

    def some(self, count: int) -> list[str]:
        return self._rng.choices(self.words, cum_weights=self._weights, k=count)


def entries(rng: random.Random, words: Words, start: int, count: int) -> Iterator[Entry]:
    for number in range(start, start + count):
        name = " ".join(words.some(3)).title()
        digest = f"{rng.getrandbits(256):064x}"
        path = LocalFile(f"lora/{number}/{name}.safetensors", name, 144_000_000, number)
        yield make_entry(
            number,
            name,
            " ".join(words.some(40)),
            kind=rng.choice(KINDS),
            family=rng.choice(("sd1", "sdxl", "pony", "flux")),
            tags=tuple(words.some(8)),
            triggers=tuple(words.some(3)),
            model_id=number // 2,
            creator="someone",
            examples=tuple(Example(" ".join(words.some(40)), 0.8) for _ in range(4)),
            equivalents=(AdapterKey.sha256(digest),),
            remote=RemoteFile(
                f"{name}.safetensors", 144_000_000, digest, f"https://example.org/{number}"
            ),
            files=(path,) if number % 3 == 0 else (),
        )


def timed(work: Callable[[], object], times: int) -> Timing:
    spans = []
    for _ in range(times):
        clock, processor = time.perf_counter(), time.process_time()
        work()
        spans.append(
            ((time.perf_counter() - clock) * 1000, (time.process_time() - processor) * 1000)
        )
    clocks, processors = sorted(span[0] for span in spans), sorted(span[1] for span in spans)
    last = int(times * 0.95) if times > 1 else 0
    return Timing(clocks[times // 2], clocks[last], processors[last])


def measure(store: SqliteStore, count: int, seed: int = 1) -> Iterator[tuple[str, Timing]]:
    rng = random.Random(seed)
    words = Words(rng)
    for start in range(0, count, _BATCH):
        batch = list(entries(rng, words, start, min(_BATCH, count - start)))
        yield f"write {len(batch)}", timed(partial(store.write, batch), 1)
    some = [AdapterKey.civitai(number) for number in rng.sample(range(count), 400)]
    store.read(some)
    yield "read 400, warm", timed(lambda: store.read(some), 40)
    yield (
        "read 400, any",
        timed(lambda: store.read(AdapterKey.civitai(rng.randrange(count)) for _ in range(400)), 40),
    )
    yield (
        "edit",
        timed(
            lambda: store.edit(AdapterKey.civitai(rng.randrange(count)), Edits(state="always")), 20
        ),
    )

    def begun(letters: int, keep: Filter) -> Page:
        return store.search(words.some(1)[0][:letters], keep)

    for letters in (1, 2, 3, 5):
        yield f"search {letters} letters", timed(partial(begun, letters, Filter()), 60)
    yield "search two words", timed(lambda: store.search(" ".join(words.some(2)), Filter()), 60)
    keep = Filter(family="flux", kind="style", on_disk=True)
    yield "search 2 letters, filtered", timed(partial(begun, 2, keep), 60)
    yield "search nothing there", timed(lambda: store.search("zzzqqq", Filter()), 20)
    yield "list", timed(lambda: store.search("", Filter()), 20)
    yield "revision", timed(lambda: store.revision, 50)
    yield "text fingerprints", timed(lambda: store.text_fingerprints("card"), 1)
    yield "changes(0)", timed(lambda: sum(1 for _ in store.changes(0)), 1)


if __name__ == "__main__":
    opened = SqliteStore(Path(sys.argv[1]))
    for what, timing in measure(opened, int(sys.argv[2]) if len(sys.argv) > 2 else 100_000):
        sys.stdout.write(f"{what}: {timing}\n")
        sys.stdout.flush()
    opened.close()

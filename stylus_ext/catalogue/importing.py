"""Imports a published catalogue: cards and texts in batches, then matching vectors."""

from __future__ import annotations

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

import numpy as np

from stylus_ext.catalogue.refresh import Ingest, RefreshCatalogue, batches, embedded_texts
from stylus_ext.core.card import AdapterCard, AdapterKey
from stylus_ext.core.entry import VIEWS, Description, Entry, embedded_text, text_fingerprint
from stylus_ext.core.importing import (
    Imported,
    ImportedVector,
    Published,
    PublishedCatalogue,
    PublishedText,
    PublishedVectors,
)
from stylus_ext.core.ports import Matrix, Progress, Refiner, Sighting, VectorItem

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class PublishedRefiner:
    """A refiner that returns published descriptions, and the rules' for all other cards."""

    rules: Refiner
    name: str
    texts: Mapping[AdapterKey, PublishedText] = field(default_factory=dict)

    def refine(self, card: AdapterCard) -> Description:
        texts = next(
            (self.texts[key] for key in (card.key, *card.equivalents) if key in self.texts), None
        )
        if texts is None:
            return self.rules.refine(card)
        base = self.rules.refine(replace(card, text=texts.text))
        made_of = f"{self.name}\0{texts.text}\0{texts.weight}".encode("utf-8", "surrogatepass")
        weight = base.weight if texts.weight is None else texts.weight
        return replace(
            base,
            text=texts.text,
            weight=weight,
            source=self.name,
            fingerprint=hashlib.sha256(made_of).hexdigest()[:32],
        )


class ImportCatalogue:
    """Imports records; progress is stored after each batch, user edits are kept."""

    def __init__(self, ingest: Ingest, rules: Refiner) -> None:
        self._ingest = ingest
        self._rules = rules

    def __call__(
        self, published: PublishedCatalogue, progress: Progress
    ) -> tuple[Imported, list[tuple[int, AdapterKey]]]:
        """Return totals, and the key of each record for its vector."""
        self._ingest.finish_interrupted()
        mark = f"import.{published.name}.{published.fingerprint}"
        before = _remembered(self._ingest.memory.remembered(mark))
        refiner = PublishedRefiner(self._rules, published.name.lower())
        refresh = RefreshCatalogue(self._ingest.store, refiner)
        done = replace(before, resumed=before.read > 0 and not before.ended, ended=False)
        places: list[tuple[int, AdapterKey]] = []
        step, rows = f"importing {published.name}", published.vectors()
        total = rows.rows if rows is not None else None
        for batch in batches(published.records()):
            places += [
                (record.place, record.card.key) for record in batch if record.card is not None
            ]
            fresh = [record for record in batch if record.place >= before.read]
            if fresh:
                with self._ingest.changing:
                    done = self._take(refresh, refiner, fresh, done)
                    self._ingest.memory.remember(mark, json.dumps(asdict(done)))
            read = batch[-1].place + 1
            progress.report(step, read, total if total is not None and read <= total else None)
        done = replace(done, ended=True)
        self._ingest.memory.remember(mark, json.dumps(asdict(done)))
        logger.info(
            "%s: %d read, %d kept, skipped %s",
            published.name,
            done.read,
            done.kept,
            dict(done.skipped),
        )
        return done, places

    def _take(
        self,
        refresh: RefreshCatalogue,
        refiner: PublishedRefiner,
        batch: Sequence[Published],
        done: Imported,
    ) -> Imported:
        cards = [record.card for record in batch if record.card is not None]
        refiner.texts = {
            record.card.key: record.text
            for record in batch
            if record.card is not None and record.text is not None
        }
        keys = [card.key for card in cards]
        before = embedded_texts(self._ingest.store.read(keys).values())
        refresh.take([Sighting(card=card) for card in cards])
        after = self._ingest.store.read(keys)
        described = sum(
            key in after and after[key].description.source == refiner.name for key in refiner.texts
        )
        changed = sum(
            before.get(key) != texts for key, texts in embedded_texts(after.values()).items()
        )
        skipped = Counter(done.skipped) + Counter(
            record.reason for record in batch if record.card is None
        )
        return replace(
            done,
            read=batch[-1].place + 1,
            kept=done.kept + len(cards),
            described=done.described + described,
            changed=done.changed + changed,
            skipped=dict(skipped),
        )


def _remembered(text: str) -> Imported:
    """Progress of the last import of the same files, or a fresh start."""
    try:
        texts = Imported(**json.loads(text)) if text else Imported()
        counts = [texts.read, texts.kept, texts.described, texts.changed, *texts.skipped.values()]
    except (ValueError, TypeError, AttributeError):
        return Imported()
    return texts if all(isinstance(count, int) for count in counts) else Imported()


_VECTOR_BATCH = 1024
Take = Callable[[Sequence[ImportedVector], Matrix], None]


class ImportVectors:
    """Copies published vectors into the index; up-to-date ones are skipped, which is how it
    resumes.
    """

    def __init__(
        self,
        ingest: Ingest,
        made_from: Callable[[str, str], str],
        have: Mapping[AdapterKey, tuple[str, ...]],
    ) -> None:
        """`made_from` gives a vector's fingerprint, `have` the existing ones per view."""
        self._ingest = ingest
        self._made_from = made_from
        self._have = have

    def __call__(
        self,
        vectors: PublishedVectors,
        places: Sequence[tuple[int, AdapterKey]],
        take: Take,
        progress: Progress,
    ) -> int:
        """Return the number of entries that got a vector."""
        taken = 0
        for start in range(0, len(places), _VECTOR_BATCH):
            progress.report("taking in vectors", start, len(places))
            some = places[start : start + _VECTOR_BATCH]
            with self._ingest.changing:
                taken += self._add_imported(vectors, some, take)
        progress.report("taking in vectors", len(places), len(places))
        return taken

    def _add_imported(
        self, vectors: PublishedVectors, places: Sequence[tuple[int, AdapterKey]], take: Take
    ) -> int:
        entries = self._ingest.store.read([key for _, key in places])
        wanted = [(place, self._item(entries[key])) for place, key in places if key in entries]
        wanted = [
            (place, item) for place, item in wanted if self._have.get(item.key) != item.prints
        ]
        rows = (
            np.asarray(vectors.values[[place for place, _ in wanted]], dtype=np.float32)
            if wanted
            else np.empty((0, vectors.dimensions))
        )
        lengths = np.linalg.norm(rows, axis=1)
        usable = np.isfinite(lengths) & (lengths > 0)
        items = [item for (_, item), right in zip(wanted, usable, strict=True) if right]
        if items:
            take(items, (rows[usable] / lengths[usable, np.newaxis]).astype(np.float32))
        return len(items)

    def _item(self, entry: Entry) -> ImportedVector:
        texts = (text_fingerprint(embedded_text(entry, view)) for view in VIEWS)
        return ImportedVector(
            entry.key, entry.family, tuple(self._made_from(entry.family, text) for text in texts)
        )


def into(index_write: Callable[[Sequence[VectorItem], Matrix], None]) -> Take:
    """Store the vectors as the index's own, one per view."""

    def take(items: Sequence[ImportedVector], vectors: Matrix) -> None:
        for place, view in enumerate(VIEWS):
            index_write(
                [VectorItem(item.key, view, item.family, item.prints[place]) for item in items],
                vectors,
            )

    return take

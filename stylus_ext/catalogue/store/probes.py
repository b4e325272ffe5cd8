"""The table of probes; they outlive the entries, since they cost the user's time."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from stylus_ext.catalogue.store import entries as rows
from stylus_ext.catalogue.store.codec import probe_text, to_column
from stylus_ext.catalogue.store.entries import Batch
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.probe import Probe


class ProbeTable:
    """Writes probes; they are read with their entries."""

    def __init__(self, changing: Callable[[], AbstractContextManager[Batch]]) -> None:
        self._changing = changing

    def keep(self, key: AdapterKey, probe: Probe) -> None:
        """Store the probe of an entry, in place of an older one."""
        with self._changing() as batch:
            column = to_column(str(key))
            first = rows.first_keys(batch.connection, [column]).get(column)
            if first is None:
                raise InvalidInput(f"{key} is not in the catalogue, so no probe of it is kept.")
            batch.connection.execute(
                "INSERT OR REPLACE INTO probes (key, probe) VALUES (?, ?)",
                (first, probe_text(probe)),
            )
            rows.refresh(batch, [first])

"""A process of its own that fetches versions: origin, LoRA folder, data folder, version numbers.
Prints what came, as JSON.
"""

from __future__ import annotations

import json
import sys
from datetime import datetime, timezone
from pathlib import Path

from stylus_ext.catalogue.sources.civitai import CivitaiClient, CivitaiSource
from stylus_ext.core.card import AdapterCard, AdapterKey, RemoteFile
from stylus_ext.downloads import Budget, FileDownloader, Ledger, LoraFolderWriter, Receiver
from stylus_ext.downloads.fetch import FetchMissing
from stylus_ext.net import Http, Key, TimeLimits


class Silent:
    def report(self, step: str, done: int, total: int | None = None) -> None:
        pass


def main(origin: str, root: str, data: str, *versions: str) -> None:
    http = Http(
        Key(origin, "the-right-key"),
        limits=TimeLimits(first_pause_s=0.01, stall_s=2.0, total_s=10.0),
    )
    ledger = Ledger(Path(data))
    downloader = FileDownloader(
        CivitaiSource(CivitaiClient(http, origin), True, lambda: datetime.now(timezone.utc)),
        Receiver(http, first_pause_s=0.01),
        LoraFolderWriter(Path(root)),
        Budget(2**40, 2**40, 0, ledger),
        ledger,
    )
    cards = [
        AdapterCard(
            AdapterKey("civitai", one),
            f"Adapter {one}",
            "civitai",
            remote=RemoteFile(f"rain_{one}.safetensors", 0),
        )
        for one in versions
    ]
    report = FetchMissing(downloader, 3)(cards, Silent())
    http.close()
    print(  # noqa: T201
        json.dumps(
            {
                "fetched": {one.key.value: [one.path, one.new] for one in report.fetched},
                "failed": [one.text for one in report.failed],
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])

"""A downloader over the local Civitai, a LoRA folder with something of the user's in it, and what
must hold after whatever happens.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from stylus_ext.catalogue.sources.civitai import CivitaiClient, CivitaiSource
from stylus_ext.core.card import AdapterCard, AdapterKey, RemoteFile
from stylus_ext.core.fetching import Fetched
from stylus_ext.core.ports import Progress
from stylus_ext.downloads import Budget, FileDownloader, Ledger, LoraFolderWriter, Receiver
from stylus_ext.net import Http, Key, TimeLimits, origin_of
from tests.civitai_service.service import CivitaiService
from tests.civitai_service.shapes import a_file, a_model, a_version
from tests.fakes import Watch, make_card
from tests.lora_files import LORAS, safetensors_bytes, write_lora

KEY = "the-right-key"
QUICK = TimeLimits(
    first_pause_s=0.01, stall_s=1.0, total_s=3.0, connect_s=2.0, longest_retry_after_s=1.0
)
GB = 2**30


def lora_bytes(seed: int = 1) -> bytes:
    return safetensors_bytes(LORAS["sd1"], {"ss_output_name": f"alias{seed}"}, seed)


@dataclass
class Bench:
    civitai: CivitaiService
    root: Path
    data: Path
    http: Http
    downloader: FileDownloader
    users: dict[str, bytes] = field(default_factory=dict)

    def publish(
        self, version: int = 11, body: bytes | None = None, name: str = "", **changes: Any
    ) -> bytes:
        """A version with a file; `changes` are of what Civitai states about it."""
        body = lora_bytes(version) if body is None else body
        listed = a_file(version, name, body, **changes)
        self.civitai.add(
            a_model(version + 100, a_version(version, files=[listed])), files={version: body}
        )
        return body

    def card(self, version: int = 11, **changes: Any) -> AdapterCard:
        name = changes.pop("file", f"rain_{version}.safetensors")
        remote = RemoteFile(name, len(self.civitai.files.get(version, b"")), None)
        return make_card(
            version,
            changes.pop("name", f"Adapter {version}"),
            remote=remote,
            source="civitai",
            **changes,
        )

    def fetch(self, version: int = 11, progress: Progress | None = None, **changes: Any) -> Fetched:
        return self.downloader.fetch(self.card(version, **changes), progress or Watch())

    def files(self) -> dict[str, bytes]:
        return {
            path.relative_to(self.root).as_posix(): path.read_bytes()
            for path in sorted(self.root.rglob("*"))
            if path.is_file()
        }

    def loras(self) -> dict[str, bytes]:
        return {
            name: body
            for name, body in self.files().items()
            if name.endswith(".safetensors") and name not in self.users
        }

    def check(self, *allowed: bytes, killed: bool = False) -> None:
        """No wrong file under a final name, nothing of the user's changed, no key and no signature
        anywhere.
        """
        found = self.files()
        assert {name: found.get(name) for name in self.users} == self.users
        assert set(self.loras().values()) <= set(allowed)
        for name, body in {
            **found,
            **{path.name: path.read_bytes() for path in self.data.rglob("*") if path.is_file()},
        }.items():
            assert KEY.encode() not in body, name
            assert b"X-Amz-Signature" not in body, name
        for seen in self.civitai.seen:
            assert KEY not in seen.target
            assert seen.on == "api" or KEY not in str(seen)
        assert killed or not list(self.root.rglob("*.lock"))


@contextmanager
def bench_over(
    civitai: CivitaiService, folder: Path, *, limits: TimeLimits = QUICK, **rules: Any
) -> Iterator[Bench]:
    root, data = folder / "loras", folder / "state"
    root.mkdir(exist_ok=True)
    data.mkdir(exist_ok=True)
    if not any(root.iterdir()):
        write_lora(root / "mine.safetensors", seed=99)
        (root / "mine.json").write_text(json.dumps({"notes": "mine"}), "utf-8")
    http = Http(Key(origin_of(civitai.api), KEY), limits=limits)
    try:
        yield Bench(
            civitai,
            root,
            data,
            http,
            a_downloader(civitai, http, root, data, **rules),
            {path.name: path.read_bytes() for path in root.iterdir() if path.stem == "mine"},
        )
    finally:
        http.close()


def a_downloader(
    civitai: CivitaiService, http: Http, root: Path, data: Path, **rules: Any
) -> FileDownloader:
    ledger = Ledger(data)
    budget = Budget(
        largest=rules.pop("largest", GB),
        quota=rules.pop("quota", GB),
        keep_free=rules.pop("keep_free", 0),
        ledger=ledger,
        unhashed=rules.pop("unhashed", False),
    )
    writer = LoraFolderWriter(
        root, **{name: rules.pop(name) for name in ("others", "names", "hashes") if name in rules}
    )
    source = CivitaiSource(
        CivitaiClient(http, civitai.api), has_key=True, now=lambda: datetime.now(timezone.utc)
    )
    return FileDownloader(
        source, Receiver(http, first_pause_s=0.01), writer, budget, ledger, **rules
    )


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def key(version: int) -> AdapterKey:
    return AdapterKey.civitai(version)

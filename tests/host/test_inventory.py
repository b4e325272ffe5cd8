"""What the host knows of its files without hashing any: its own objects, its cache of hashes,
sidecars that speak of this file.
"""

from __future__ import annotations

import os
from enum import Enum
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from stylus_ext.host.engine.inventory import HostInventory, family, sidecar_sum
from tests.host.double.fixtures import Stage
from tests.lora_files import write_lora, write_sidecar

SUM = "ab" * 32


class SdVersion(Enum):
    Unknown = 1
    SD1 = 2
    SDXL = 4


def lora(path: Path, **more: Any) -> SimpleNamespace:
    """As A1111's NetworkOnDisk."""
    return SimpleNamespace(
        **{
            "name": path.stem,
            "filename": str(path),
            "metadata": {},
            "shorthash": "",
            "sd_version": SdVersion.Unknown,
            **more,
        }
    )


def shelf(files: dict[str, Any], cached: dict[str, str] | None = None) -> HostInventory:
    return HostInventory(
        lambda: files, lambda: sorted(files), lambda path, stem: (cached or {}).get(stem, "")
    )


@pytest.mark.parametrize(
    ("metadata", "version", "said"),
    [
        ({}, SdVersion.SDXL, "sdxl"),
        ({"ss_network_dim": "8"}, SdVersion.SD1, ""),
        ({"ss_base_model_version": "sd_v1"}, SdVersion.SD1, "sd1"),
        ({"modelspec.architecture": "flux-1-dev/lora"}, SdVersion.SD1, "flux1"),
        ({"modelspec.architecture": "something of tomorrow"}, SdVersion.SDXL, "sdxl"),
        ({}, "Flux", "flux1"),
        ({}, None, ""),
        (None, SdVersion.Unknown, ""),
        ("none", SdVersion.SD1, ""),
    ],
)
def test_a_family_is_said_where_it_is_sure(metadata: Any, version: Any, said: str) -> None:
    """A file with any metadata counts as SD1 in A1111 (HOST.md i), so that alone says nothing."""
    assert family(SimpleNamespace(metadata=metadata, sd_version=version)) == said


def test_what_is_known_is_listed_and_nothing_else(tmp_path: Path) -> None:
    path = write_lora(tmp_path / "a fox.safetensors")
    files = {
        "a fox": lora(path, shorthash="0123456789ab", sd_version=SdVersion.SDXL),
        "bare": SimpleNamespace(name="bare"),
        "text": "no object",
    }
    found = shelf(files, {"bare": SUM}).now()
    assert found.items == (
        {"stem": "a fox", "auto_v3": "0123456789ab", "family": "sdxl"},
        {"stem": "bare", "sha256": SUM},
        {"stem": "text"},
    )
    assert found.stems == {"a fox", "bare", "text"}


@pytest.mark.parametrize(
    ("ending", "said", "found"),
    [
        (
            ".civitai.info",
            {
                "files": [
                    {"sizeKB": 1.0, "hashes": {"SHA256": "cd" * 32}},
                    {"sizeKB": "SIZE", "hashes": {"SHA256": SUM.upper()}},
                ]
            },
            SUM,
        ),
        (".civitai.info", {"files": [{"sizeKB": 999.0, "hashes": {"SHA256": SUM}}]}, ""),
        (
            ".civitai.info",
            {
                "files": [
                    {"hashes": {"SHA256": SUM}},
                    {"sizeKB": "SIZE", "hashes": None},
                    7,
                    {"sizeKB": "SIZE"},
                ]
            },
            "",
        ),
        (".civitai.info", {"files": [{"sizeKB": "SIZE", "hashes": {"SHA256": "not a sum"}}]}, ""),
        (".civitai.info", {"files": {}}, ""),
        (".civitai.info", [], ""),
        (".metadata.json", {"sha256": SUM, "size": "BYTES"}, SUM),
        (".metadata.json", {"sha256": SUM, "size": 1}, ""),
    ],
)
def test_a_sidecar_counts_as_long_as_it_speaks_of_a_file_of_this_size(
    tmp_path: Path, ending: str, said: Any, found: str
) -> None:
    path = write_lora(tmp_path / "v1.5 fox.safetensors")
    size = path.stat().st_size

    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: filled(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [filled(inner) for inner in value]
        return (
            {"SIZE": size / 1024, "BYTES": size}.get(value, value)
            if isinstance(value, str)
            else value
        )

    write_sidecar(path, ending, filled(said))
    assert sidecar_sum(path, size) == found


def test_a_broken_sidecar_says_nothing(tmp_path: Path) -> None:
    path = write_lora(tmp_path / "fox.safetensors")
    path.with_suffix(".civitai.info").write_text("{" * 100_000, "utf-8")
    path.with_suffix(".metadata.json").write_bytes(b"\xff\xfe")
    assert sidecar_sum(path, path.stat().st_size) == ""


def test_it_is_the_same_as_long_as_nothing_changed_and_sidecars_are_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_lora(tmp_path / "fox.safetensors")
    write_sidecar(path, ".metadata.json", {"sha256": SUM, "size": path.stat().st_size})
    files: dict[str, Any] = {"fox": lora(path)}
    one = shelf(files)
    first = one.now()
    assert first.items[0]["sha256"] == SUM
    assert one.now() is first
    read: list[str] = []

    def reading(path: Path, size: int) -> str:
        read.append(path.name)
        return ""

    monkeypatch.setattr("stylus_ext.host.engine.inventory.sidecar_sum", reading)
    files["owl"] = lora(write_lora(tmp_path / "owl.safetensors"))
    assert [item["stem"] for item in one.now().items] == ["fox", "owl"]
    assert read == ["owl.safetensors"]
    os.utime(path, (1, 1))
    files["elk"] = lora(path.with_name("elk.safetensors"))
    one.now()
    assert read == ["owl.safetensors", "fox.safetensors"]


def test_hashes_that_become_known_later_are_noticed_after_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cached: dict[str, str] = {}
    one = shelf({"fox": SimpleNamespace(name="fox")}, cached)
    first = one.now()
    cached["fox"] = SUM
    assert one.now() is first
    monkeypatch.setattr("stylus_ext.host.engine.inventory._LOOK_AGAIN_S", 0.0)
    assert one.now().items == ({"stem": "fox", "sha256": SUM},)


def test_the_hosts_cache_is_asked_as_the_host_names_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stylus_ext.host import compat

    assert compat.cached_sha256("/l/fox.safetensors", "fox") == ""
    hashes = ModuleType("modules.hashes")
    known = {"lora/fox": SUM.upper()}
    vars(hashes)["sha256_from_cache"] = lambda filename, title, use_addnet_hash=False: (
        None if use_addnet_hash else known.get(title)
    )
    monkeypatch.setitem(__import__("sys").modules, "modules.hashes", hashes)
    monkeypatch.setattr(__import__("sys").modules["modules"], "hashes", hashes, raising=False)
    assert compat.cached_sha256("/l/fox.safetensors", "fox") == SUM
    assert compat.cached_sha256("/l/owl.safetensors", "owl") == ""
    assert compat.cached_sha256("", "fox") == ""


def test_only_what_a_tag_finds_is_listed(stage: Stage) -> None:
    from stylus_ext.host import compat

    assert list(compat.listed_files()) == compat.listed_stems()
    stage.host.loras.available_network_aliases["knight_armor"] = "another file"
    assert "knight_armor" not in compat.listed_files()

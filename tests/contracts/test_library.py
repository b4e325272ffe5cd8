"""What every `Library` keeps to. A new one adds a builder to `LIBRARIES`: it gets a folder that
already holds files.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from stylus_ext.catalogue.sources.local.scan import LoraFolder
from stylus_ext.core.ports import Library
from tests.lora_files import write_lora

Builder = Callable[[Path], Library]

LIBRARIES: dict[str, Builder] = {"lora_folder": lambda folder: LoraFolder([folder])}


@pytest.fixture(params=LIBRARIES)
def build(request: pytest.FixtureRequest) -> Builder:
    return LIBRARIES[request.param]


def test_an_empty_or_missing_folder_has_no_stems(build: Builder, tmp_path: Path) -> None:
    assert build(tmp_path).stems() == frozenset()
    assert build(tmp_path / "nowhere").stems() == frozenset()


def test_stems_are_as_the_host_reads_them(build: Builder, tmp_path: Path) -> None:
    for name in ("fox", "red fox (v1.2)", "狐", "deep/er/owl", "Fox"):
        write_lora(tmp_path / f"{name}.safetensors")
    (tmp_path / "notes.txt").write_text("no adapter", "utf-8")
    (tmp_path / "folder.safetensors").mkdir()
    assert build(tmp_path).stems() == {"fox", "red fox (v1.2)", "狐", "owl", "Fox"}


def test_what_comes_and_goes_is_seen(build: Builder, tmp_path: Path) -> None:
    first = write_lora(tmp_path / "fox.safetensors")
    library = build(tmp_path)
    assert library.stems() == {"fox"}
    write_lora(tmp_path / "deep" / "owl.safetensors")
    assert library.stems() == {"fox", "owl"}
    first.unlink()
    assert library.stems() == {"owl"}


def test_two_files_of_one_stem_are_one_to_the_host(build: Builder, tmp_path: Path) -> None:
    write_lora(tmp_path / "a" / "fox.safetensors")
    write_lora(tmp_path / "b" / "fox.safetensors", seed=1)
    library = build(tmp_path)
    assert library.stems() == {"fox"}
    assert library.stems() == library.stems()

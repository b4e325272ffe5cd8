from __future__ import annotations

from typing import Any

import pytest

from stylus_ext.catalogue.sources.civitai.cards import EMPTY_HASH, choose_file
from tests.civitai_service.shapes import a_file, a_version, hashes_of

BODY = b"x" * 2048


def version(*files: dict[str, Any]) -> dict[str, Any]:
    return a_version(1, files=list(files))


def test_a_file_is_read_with_its_hash_in_lower_case() -> None:
    found = choose_file(version(a_file(1, "rain.safetensors", BODY)))
    assert found is not None
    assert (found.name, found.size, found.scans, found.dangerous) == (
        "rain.safetensors",
        2048,
        ("Success", "Success"),
        False,
    )
    assert found.sha256 == str(hashes_of(BODY)["SHA256"]).lower()
    assert found.auto_v3 == str(hashes_of(BODY)["AutoV3"]).lower()


def test_the_primary_one_counts_not_the_first() -> None:
    first = {
        name: value
        for name, value in a_file(1, "training.safetensors").items()
        if name != "primary"
    }
    found = choose_file(version(first, a_file(1, "main.safetensors")))
    assert found is not None
    assert found.name == "main.safetensors"


def test_the_one_with_the_hash_counts_before_the_primary_one() -> None:
    other = {**a_file(1, "pruned.safetensors", BODY, type="Pruned Model"), "primary": None}
    found = choose_file(
        version(a_file(1, "main.safetensors"), other), str(hashes_of(BODY)["SHA256"]).lower()
    )
    assert found is not None
    assert found.name == "pruned.safetensors"


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "Training Data"},
        {"type": "Config"},
        {"type": "VAE"},
        {"type": "Negative"},
        {"type": "Archive"},
        {"type": "Enhancement LoRA"},
        {"metadata": {"format": "PickleTensor"}},
        {"metadata": {"format": "Other"}},
        {"name": "rain.pt"},
        {"name": "rain.zip"},
        {"name": "", "metadata": {}},
        {"name": None, "metadata": None},
    ],
    ids=str,
)
def test_other_files_are_not_chosen(changes: dict[str, Any]) -> None:
    assert choose_file(version({**a_file(1), **changes})) is None


@pytest.mark.parametrize("files", [None, [], {}, "x", [None, 5, "x", []]])
def test_files_may_be_missing(files: Any) -> None:
    assert choose_file({"files": files}) is None


@pytest.mark.parametrize(
    "hashes", [{}, None, [], {"SHA256": None}, {"SHA256": "ABC"}, {"SHA256": 5}]
)
def test_hashes_may_be_missing(hashes: Any) -> None:
    found = choose_file(version({**a_file(1), "hashes": hashes}))
    assert found is not None
    assert (found.sha256, found.auto_v3) == ("", "")


def test_the_hash_of_nothing_is_none() -> None:
    found = choose_file(version({**a_file(1), "hashes": {"AutoV3": EMPTY_HASH.upper()}}))
    assert found is not None
    assert found.auto_v3 == ""


@pytest.mark.parametrize(
    ("size", "read"),
    [
        (36987.4, 37875098),
        (0, 0),
        (-5, 0),
        (None, 0),
        ("12.5", 12800),
        (float("nan"), 0),
        (1e300, 0),
    ],
)
def test_sizes_are_fractions_of_kilobytes(size: Any, read: int) -> None:
    found = choose_file(version({**a_file(1), "sizeKB": size}))
    assert found is not None
    assert found.size == read


@pytest.mark.parametrize(
    ("pickle", "virus", "dangerous"),
    [("Danger", "Success", True), ("Success", "danger", True), ("Pending", "Error", False)],
)
def test_scan_results_count(pickle: str, virus: str, dangerous: bool) -> None:
    found = choose_file(version(a_file(1, pickleScanResult=pickle, virusScanResult=virus)))
    assert found is not None
    assert found.dangerous is dangerous
    assert found.scans == (pickle, virus)

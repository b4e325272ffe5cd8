"""Which files of a repository are LoRAs."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.catalogue.sources.hugging_face.files import (
    MAX_LORAS,
    NO_FILE,
    NO_LORA,
    find_loras,
    hub_file,
)


def row(path: str, size: int = 20_000_000, **changes: Any) -> dict[str, Any]:
    sha256 = hashlib.sha256(path.encode()).hexdigest()
    return {
        "type": "file",
        "oid": "0" * 40,
        "size": size,
        "path": path,
        "lfs": {"oid": sha256, "size": size, "pointerSize": 134},
        **changes,
    }


def chosen(*paths: str) -> list[str] | str:
    found = find_loras(map(row, paths))
    return found if isinstance(found, str) else [file.path for file in found]


@pytest.mark.parametrize(
    ("paths", "left"),
    [
        (["pytorch_lora_weights.safetensors", "README.md"], ["pytorch_lora_weights.safetensors"]),
        (
            ["fox.safetensors", "fox_emb.safetensors", "embeddings.safetensors", "ti.safetensors"],
            ["fox.safetensors"],
        ),
        (
            [
                "fox.safetensors",
                "checkpoint-500/fox.safetensors",
                "checkpoint-1000/pytorch_lora_weights.safetensors",
            ],
            ["fox.safetensors"],
        ),
        (["checkpoint-500/fox.safetensors"], ["checkpoint-500/fox.safetensors"]),
        (
            ["fox-000002.safetensors", "fox-000004.safetensors", "fox.safetensors"],
            ["fox.safetensors"],
        ),
        (["fox-000002.safetensors", "fox-000004.safetensors"], ["fox-000004.safetensors"]),
        (
            ["fox.safetensors", "owl.safetensors", "sub/elk.safetensors"],
            ["fox.safetensors", "owl.safetensors", "sub/elk.safetensors"],
        ),
        (["FOX.SAFETENSORS"], ["FOX.SAFETENSORS"]),
        (["model.safetensors", "fox.safetensors"], ["fox.safetensors"]),
    ],
)
def test_the_loras_are_chosen(paths: list[str], left: list[str]) -> None:
    assert chosen(*paths) == left


@pytest.mark.parametrize(
    ("paths", "reason"),
    [
        ([], NO_FILE),
        (["README.md", "fox.ckpt", "fox.bin"], NO_FILE),
        (["adapter_model.safetensors"], NO_LORA),
        (["unet/fox.safetensors"], NO_LORA),
        (["model-00001-of-00002.safetensors"], NO_LORA),
        (["text_encoder/model.safetensors", "vae/diffusion_pytorch_model.safetensors"], NO_LORA),
        (["diffusion_pytorch_model.fp16.safetensors"], NO_LORA),
    ],
)
def test_a_reason_if_there_is_no_lora(paths: list[str], reason: str) -> None:
    assert chosen(*paths) == reason


def test_large_files_are_checkpoints() -> None:
    assert find_loras([row("fox.safetensors", 2_000_000_000)]) == NO_LORA
    found = find_loras(
        [row("fox.safetensors", 2_000_000_000), row("fox_lora.safetensors", 1_200_000_000)]
    )
    assert [file.path for file in found] == ["fox_lora.safetensors"]  # type: ignore[union-attr]


def test_one_file_under_two_names_counts_once_and_a_collection_has_an_end() -> None:
    same = [
        row("a fox.safetensors"),
        {**row("b fox.safetensors"), "lfs": row("a fox.safetensors")["lfs"]},
    ]
    assert len(find_loras(same)) == 1
    assert (
        len(
            find_loras(
                [row(f"{chr(97 + number % 26)}{'x' * number}z.safetensors") for number in range(80)]
            )
        )
        == MAX_LORAS
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"lfs": None},
        {"lfs": {"oid": "short", "size": 5}},
        {"lfs": {"oid": "a" * 64, "size": 0}},
        {"path": "../x.safetensors"},
        {"path": 5},
        {"path": "x.safetensors\n"},
    ],
)
def test_files_without_hash_size_or_name_are_ignored(changes: dict[str, Any]) -> None:
    assert hub_file({**row("x.safetensors"), **changes}) is None


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["path", "lfs", "type", "size"]),
            st.none() | st.text() | st.integers() | st.dictionaries(st.text(), st.text()),
        )
    )
)
def test_anything_is_a_list_or_a_reason(listed: list[dict[str, Any]]) -> None:
    assert find_loras(listed) in (NO_FILE, NO_LORA)

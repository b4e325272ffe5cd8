from __future__ import annotations

import json
import struct
from contextlib import nullcontext
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.core.fetching import NotFetched
from stylus_ext.downloads.receive import ENOUGH, check_beginning, check_whole
from tests.lora_files import LORAS, safetensors_bytes


@given(st.integers(2, 70_000))
def test_no_length_of_a_header_looks_like_something_else(length: int) -> None:
    """91 begins like a list, 123 like an object, 60 like a page."""
    check_beginning(struct.pack("<Q", length) + b'{"a":{' + b" " * 10, "it", length + 100)


@given(st.binary(max_size=40))
def test_whatever_comes_is_taken_or_refused_with_a_sentence(beginning: bytes) -> None:
    fits = len(beginning) <= 8 or (
        beginning[8:9] == b"{" and struct.unpack("<Q", beginning[:8])[0] <= 32
    )
    with nullcontext() if fits else pytest.raises(NotFetched, match="Rain"):
        check_beginning(beginning, "Rain", 40)


@pytest.mark.parametrize("family", LORAS)
def test_real_files_pass(family: str, tmp_path: Path) -> None:
    body = safetensors_bytes(LORAS[family])
    check_beginning(body[:ENOUGH], "it", len(body))
    path = tmp_path / "a.part"
    path.write_bytes(body)
    check_whole(path, len(body), "it")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "too_short"),
        (b"{}", "too_short"),
        (b"<html></html>", "web_page"),
        (b"\xef\xbb\xbf  <!doctype html>", "web_page"),
        (b'{"error": "no"}', "not_a_file"),
        (b"[1, 2, 3, 4, 5, 6]", "not_a_file"),
        (b"x" * 50, "no_safetensors"),
        (struct.pack("<Q", 2) + b"{}rest", "damaged"),
        (struct.pack("<Q", 30) + b"{" + b" " * 29, "damaged"),
        (
            struct.pack("<Q", 90)
            + json.dumps({"a": {"shape": [9], "data_offsets": [0, 9]}}).ljust(90).encode()
            + b"123",
            "damaged",
        ),
    ],
)
def test_each_kind_of_wrong_has_its_code(body: bytes, code: str, tmp_path: Path) -> None:
    path = tmp_path / "a.part"
    path.write_bytes(body)
    with pytest.raises(NotFetched) as caught:
        check_whole(path, len(body), "Rain")
    assert caught.value.code == code
    assert "Rain" in str(caught.value)

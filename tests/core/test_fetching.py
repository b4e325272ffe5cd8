from __future__ import annotations

import pytest

from stylus_ext.core.card import RemoteFile
from stylus_ext.core.fetching import MB, Caps, called, in_mb
from tests.fakes import make_card

CAPS = Caps(largest=100 * MB, left=50 * MB)
HASH = "a" * 64


@pytest.mark.parametrize(
    ("remote", "why"),
    [
        (RemoteFile("a.safetensors", 10 * MB, HASH), ""),
        (RemoteFile("a.safetensors", 50 * MB, HASH), ""),
        (None, "no source offers its file"),
        (RemoteFile("", 10 * MB, HASH), "no source offers its file"),
        (RemoteFile("a.safetensors", 0, HASH), "the size of its file is unknown"),
        (
            RemoteFile("a.safetensors", 101 * MB, HASH),
            "its file has 101 MB, and you allow 100 MB a file",
        ),
        (
            RemoteFile("a.safetensors", 51 * MB, HASH),
            "its file has 51 MB, and 50 MB are left of what downloads may take",
        ),
        (
            RemoteFile("a.safetensors", MB),
            "no source states a hash by which its file could be checked",
        ),
    ],
)
def test_what_speaks_against_a_file_is_the_end_of_a_sentence(
    remote: RemoteFile | None, why: str
) -> None:
    assert CAPS.why_not(remote) == why


def test_files_without_a_hash_are_for_who_allows_them() -> None:
    assert Caps(100 * MB, 50 * MB, unhashed=True).why_not(RemoteFile("a.safetensors", MB)) == ""


def test_more_than_the_quota_may_have_been_taken() -> None:
    assert "and 0 KB are left" in Caps(100 * MB, -5).too_large(MB)


def test_sizes_and_names_in_sentences() -> None:
    assert [in_mb(size) for size in (0, 2048, MB, 1500 * MB)] == [
        "0 KB",
        "2 KB",
        "1 MB",
        "1,500 MB",
    ]
    assert called(make_card(name="Rain", version="v2")) == "Rain (v2)"
    assert (
        called(make_card(name="Rain")) == called(make_card(name="Rain", version="Rain")) == "Rain"
    )

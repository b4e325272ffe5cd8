"""What a picture claims to be, against what a decoder says of it."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from stylus_ext.net.images import Claim, NotAPicture, claim_of
from tests.net.thumbnails.making import animated, picture, png_of

KINDS: list[tuple[str, dict[str, Any]]] = [
    ("PNG", {}),
    ("JPEG", {}),
    ("JPEG", {"progressive": True}),
    ("WEBP", {}),
    ("WEBP", {"lossless": True}),
    ("WEBP", {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0"}),
]


@pytest.mark.parametrize(("kind", "options"), KINDS)
@pytest.mark.parametrize("size", [(1, 1), (3, 700), (640, 17), (255, 256)])
def test_the_size_is_what_a_decoder_says(
    kind: str, options: dict[str, Any], size: tuple[int, int]
) -> None:
    found = claim_of(picture(kind, size, **options))
    assert (found.kind, found.width, found.height) == (kind, *size)


def test_a_jpegs_scans_are_counted() -> None:
    assert claim_of(picture("JPEG", (64, 64))).scans == 1
    assert claim_of(picture("JPEG", (64, 64), progressive=True)).scans > 3


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_what_moves_is_refused(kind: str) -> None:
    with pytest.raises(NotAPicture, match="animated"):
        claim_of(animated(kind))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no JPEG, PNG or WebP"),
        (b"GIF89a" + bytes(40), "no JPEG, PNG or WebP"),
        (b"<svg xmlns='x'/>", "no JPEG, PNG or WebP"),
        (b"\x89PNG\r\n\x1a\n", "without a head"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0", "breaks off"),
        (b"\xff\xd8\xff\xe0", "without a size"),
        (b"\xff\xd8\xff\xc0\x00\x11\x08", "breaks off"),
        (b"RIFF\x10\0\0\0WEBPVP8X", "breaks off"),
        (b"RIFF\x10\0\0\0WEBPJUNK" + bytes(40), "unknown kind"),
        (png_of(0, 5), "no size"),
    ],
)
def test_what_is_no_picture_is_refused_with_a_sentence(data: bytes, said: str) -> None:
    with pytest.raises(NotAPicture, match=said) as caught:
        claim_of(data)
    assert str(caught.value).endswith(".")


def test_of_several_frames_the_largest_counts() -> None:
    """A decoder takes the last, and a small one behind a large one would hide it."""
    data = picture("JPEG", (10, 20))
    at = data.index(b"\xff\xc0")
    large = data[at : at + 5] + b"\x7f\xff\x7f\xff" + data[at + 9 : at + 19]
    assert claim_of(data[:at] + large + data[at:]).pixels == 0x7FFF * 0x7FFF


@given(
    st.binary(max_size=200),
    st.sampled_from(
        [
            b"",
            b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR",
            b"\xff\xd8\xff",
            b"RIFF0000WEBPVP8 ",
            b"RIFF0000WEBPVP8X",
        ]
    ),
)
def test_nothing_else_comes_out_than_a_claim_or_a_refusal(data: bytes, head: bytes) -> None:
    try:
        found = claim_of(head + data)
    except NotAPicture:
        return
    assert found.pixels > 0


@given(st.integers(1, 60), st.integers(1, 60), st.sampled_from(["PNG", "JPEG", "WEBP"]))
def test_what_claims_a_size_has_it(width: int, height: int, kind: str) -> None:
    data = picture(kind, (width, height))
    with Image.open(io.BytesIO(data)) as opened:
        assert claim_of(data) == Claim(kind, *opened.size)

"""What the head of a picture says is checked before anything is decoded."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from stylus_ext.net.thumbnails import NotAPicture, Thumbnails
from tests.net.thumbnails.making import animated, picture, png_of

KINDS: list[tuple[str, dict[str, Any]]] = [
    ("PNG", {}),
    ("JPEG", {}),
    ("JPEG", {"progressive": True}),
    ("WEBP", {}),
    ("WEBP", {"lossless": True}),
    ("WEBP", {"exif": Image.Exif().tobytes()}),
]


@pytest.mark.parametrize(("kind", "options"), KINDS)
@pytest.mark.parametrize("size", [(1, 1), (3, 700), (640, 17), (255, 256)])
def test_the_limit_of_pixels_is_exact(
    kind: str, options: dict[str, Any], size: tuple[int, int]
) -> None:
    data, pixels = picture(kind, size, **options), size[0] * size[1]
    assert Thumbnails(most_pixels=pixels).small(data)
    with pytest.raises(NotAPicture):
        Thumbnails(most_pixels=pixels - 1).small(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GIF89a" + bytes(40),
        b"<svg xmlns='x'/>",
        b"\x89PNG\r\n\x1a\n",
        b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0",
        b"\xff\xd8\xff\xe0",
        b"\xff\xd8\xff\xc0\x00\x11\x08",
        b"RIFF\x10\0\0\0WEBPVP8X",
        b"RIFF\x10\0\0\0WEBPJUNK" + bytes(40),
        png_of(0, 5),
        animated("PNG"),
        animated("WEBP"),
    ],
)
def test_what_is_no_still_picture_is_refused(data: bytes) -> None:
    with pytest.raises(NotAPicture):
        Thumbnails().small(data)


def test_a_large_frame_behind_a_small_head_is_refused() -> None:
    """Pillow takes the size of the last frame, its decoder meets the first."""
    data = picture("JPEG", (10, 20))
    at = data.index(b"\xff\xc0")
    large = data[at : at + 5] + b"\x7f\xff\x7f\xff" + data[at + 9 : at + 19]
    for both in (data[:at] + large + data[at:], data[:at] + data[at : at + 19] + large):
        with pytest.raises(NotAPicture):
            Thumbnails().small(both)


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
def test_any_bytes_become_a_picture_or_a_refusal(data: bytes, head: bytes) -> None:
    try:
        made = Thumbnails(most_pixels=1_000_000).small(head + data)
    except NotAPicture:
        return
    assert made.startswith(b"\xff\xd8")

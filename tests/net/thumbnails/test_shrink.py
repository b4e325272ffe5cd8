"""Thumbnails: small, ours alone, and refused in a sentence for whatever is not a still picture."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile, PngImagePlugin

from stylus_ext.net.thumbnails import NotAPicture, Thumbnails
from tests.net.thumbnails.making import picture, png_of


def opened(data: bytes) -> Image.Image:
    made = Image.open(io.BytesIO(data))
    made.load()
    assert made.format == "JPEG"
    return made


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize(
    ("size", "small"),
    [
        ((1024, 512), (512, 256)),
        ((40, 30), (40, 30)),
        ((600, 2400), (128, 512)),
        ((4000, 3), (512, 1)),
    ],
)
def test_it_is_a_small_jpeg(kind: str, size: tuple[int, int], small: tuple[int, int]) -> None:
    made = opened(Thumbnails().small(picture(kind, size)))
    assert made.size == small
    red, green, blue = made.getpixel((0, 0))  # type: ignore[misc]
    assert red > 230
    assert max(green, blue) < 40


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "I;16"])
def test_every_way_of_colouring_is_taken(mode: str) -> None:
    assert opened(Thumbnails().small(picture("PNG", (20, 10), mode))).size == (20, 10)


def test_a_printers_jpeg_is_taken() -> None:
    assert opened(Thumbnails().small(picture("JPEG", (20, 10), "CMYK"))).mode == "RGB"


def test_what_is_clear_becomes_white() -> None:
    out = io.BytesIO()
    Image.new("RGBA", (10, 10), (255, 0, 0, 0)).save(out, "PNG")
    assert opened(Thumbnails().small(out.getvalue())).getpixel((5, 5)) == (255, 255, 255)


def test_it_is_turned_the_right_way_up() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert opened(Thumbnails().small(picture("JPEG", (40, 20), exif=exif))).size == (20, 40)


def test_nothing_but_pixels_goes_over() -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", "secret prompt")
    jpeg = picture(
        "JPEG",
        comment=b"secret prompt",
        exif=b"Exif\0\0secret prompt",
        icc_profile=b"secret prompt",
    )
    webp = picture("WEBP", xmp=b"secret prompt", exif=b"Exif\0\0secret prompt")
    for data in (picture("PNG", pnginfo=info), jpeg, webp, picture() + b"secret prompt"):
        assert b"secret" in data
        made = Thumbnails().small(data)
        assert b"secret" not in made
        assert opened(made).info.keys() <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


@pytest.mark.parametrize(
    ("data", "stated"),
    [
        (picture("GIF"), ""),
        (picture("JPEG"), "image/png"),
        (picture(), "text/html; charset=utf-8"),
        (picture("WEBP"), "image/jpeg"),
        (png_of(30_000, 30_000), ""),
        (png_of(500, 500, b"\0" * 60), ""),
        (b"RIFF\x10\0\0\0WEBPVP8X" + bytes(40), ""),
    ],
)
def test_what_is_no_still_picture_of_its_type_is_refused(data: bytes, stated: str) -> None:
    with pytest.raises(NotAPicture):
        Thumbnails().small(data, stated)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_what_breaks_off_is_refused(kind: str) -> None:
    out = io.BytesIO()
    Image.effect_noise((300, 300), 80).convert("RGB").save(out, kind)
    data = out.getvalue()
    for end in (20, 100, len(data) // 2):
        with pytest.raises(NotAPicture):
            Thumbnails().small(data[:end])


def test_too_many_bytes_pixels_and_scans_are_refused_unread() -> None:
    with pytest.raises(NotAPicture):
        Thumbnails(largest=2**20).small(picture() + bytes(2**20))
    with pytest.raises(NotAPicture):
        Thumbnails(most_pixels=100).small(picture(size=(11, 10)))
    slow = picture("JPEG", (64, 64), progressive=True)
    scan = slow[slow.rindex(b"\xff\xda") : -2]
    with pytest.raises(NotAPicture):
        Thumbnails().small(slow[:-2] + scan * 5000 + slow[-2:])


def test_a_bomb_is_refused_undecoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda picture: pytest.fail("it was decoded"))
    with pytest.raises(NotAPicture):
        Thumbnails().small(png_of(2**31 - 1, 2**31 - 1, b"\0" * 10_000_000))


@pytest.mark.parametrize(
    "stated", ["", "image/png", "IMAGE/PNG; x=1", "application/octet-stream", "image/x-png"]
)
def test_what_says_what_it_is_or_nothing_is_taken(stated: str) -> None:
    assert Thumbnails().small(picture(), stated)


@settings(max_examples=150)
@given(st.data(), st.sampled_from(["PNG", "JPEG", "WEBP"]))
def test_a_spoiled_picture_is_a_picture_or_a_refusal(data: st.DataObject, kind: str) -> None:
    spoiled = bytearray(picture(kind, (24, 16)))
    for place in data.draw(st.lists(st.integers(0, len(spoiled) - 1), max_size=6)):
        spoiled[place] = data.draw(st.integers(0, 255))
    try:
        made = Thumbnails(most_pixels=1_000_000).small(bytes(spoiled))
    except NotAPicture:
        return
    assert max(opened(made).size) <= 512


def test_files_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "really a jpeg.png").write_bytes(picture("JPEG", (600, 600)))
    assert opened(Thumbnails(edge=64).of_file(tmp_path / "really a jpeg.png")).size == (64, 64)
    for missing in (tmp_path / "none.png", tmp_path):
        with pytest.raises(NotAPicture):
            Thumbnails().of_file(missing)
    (tmp_path / "huge.png").write_bytes(picture() + bytes(2000))
    with pytest.raises(NotAPicture):
        Thumbnails(largest=1000).of_file(tmp_path / "huge.png")


def test_many_at_once() -> None:
    thumbnails, made = Thumbnails(edge=32), list[bytes]()
    data = picture("PNG", (500, 500))
    threads = [
        threading.Thread(target=lambda: made.append(thumbnails.small(data))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 1
    assert len(made) == 8

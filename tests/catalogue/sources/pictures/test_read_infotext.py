"""Reading the infotext of real and hostile picture files."""

from __future__ import annotations

import contextlib
import io
import struct
import tracemalloc
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from stylus_ext.catalogue.sources.pictures.infotext import MAX_TEXT, read_infotext
from stylus_ext.core.errors import InvalidInput
from tests.catalogue.sources.pictures.making import (
    PNG_MARK,
    chunk,
    exif,
    infotext,
    write_as_the_webui,
    write_chunks,
    write_png,
    write_with_exif,
)

TEXT = infotext("a corgi on a wall, <lora:graffiti:0.7>")
WIDE = infotext("柴犬の落書き, Würfel 🔥, <lora:graffiti:0.7>")


@pytest.mark.parametrize("text", [TEXT, WIDE, "", "one line"])
def test_a_png_of_the_webui(tmp_path: Path, text: str) -> None:
    assert read_infotext(write_png(tmp_path / "a.png", text)) == text


@pytest.mark.parametrize("suffix", ["jpg", "jpeg", "webp"])
@pytest.mark.parametrize("text", [TEXT, WIDE])
def test_a_jpeg_or_webp_of_the_webui(tmp_path: Path, suffix: str, text: str) -> None:
    assert read_infotext(write_as_the_webui(tmp_path / f"a.{suffix}", text)) == text


@pytest.mark.parametrize("suffix", ["jpg", "webp"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    "comment",
    [
        b"UNICODE\0" + TEXT.encode("utf-16-le"),
        b"UNICODE\0" + TEXT.encode("utf-16-be"),
        b"UNICODE\0" + TEXT.encode("utf-16"),
        b"ASCII\0\0\0" + TEXT.encode(),
        b"\0" * 8 + TEXT.encode(),
        TEXT.encode(),
        b"ASCII\0\0\0" + TEXT.encode() + b"\0\0",
    ],
)
def test_comments_in_both_byte_orders_and_with_every_prefix(
    tmp_path: Path, suffix: str, order: str, comment: bytes
) -> None:
    assert read_infotext(write_with_exif(tmp_path / f"a.{suffix}", exif(comment, order))) == TEXT


def test_the_content_counts_and_not_the_suffix(tmp_path: Path) -> None:
    assert read_infotext(write_png(tmp_path / "a.png", TEXT).rename(tmp_path / "a.jpg")) == TEXT


@pytest.mark.parametrize(
    "chunks",
    [
        [chunk(b"tEXt", b"parameters\0" + TEXT.encode())],
        [chunk(b"zTXt", b"parameters\0\0" + zlib.compress(TEXT.encode()))],
        [chunk(b"iTXt", b"parameters\0\0\0en\0\0" + TEXT.encode())],
        [chunk(b"iTXt", b"parameters\0\1\0\0\0" + zlib.compress(TEXT.encode()))],
        [
            chunk(b"tEXt", b"Software\0x"),
            chunk(b"gAMA", b"\0\0\0\1"),
            chunk(b"tEXt", b"parameters\0" + TEXT.encode()),
        ],
        [
            chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<x/>"),
            chunk(b"tEXt", b"Parameters\0" + TEXT.encode()),
        ],
    ],
)
def test_every_kind_of_text_chunk(tmp_path: Path, chunks: list[bytes]) -> None:
    assert read_infotext(write_chunks(tmp_path / "a.png", *chunks)) == TEXT


def test_text_behind_the_picture_is_found(tmp_path: Path) -> None:
    path = write_chunks(tmp_path / "a.png")
    path.write_bytes(
        path.read_bytes()[:-12]
        + chunk(b"tEXt", b"parameters\0" + TEXT.encode())
        + chunk(b"IEND", b"")
    )
    assert read_infotext(path) == TEXT


def test_latin_1_is_read(tmp_path: Path) -> None:
    assert (
        read_infotext(write_chunks(tmp_path / "a.png", chunk(b"tEXt", b"parameters\0W\xfcrfel")))
        == "Würfel"
    )


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_a_picture_without_infotext(tmp_path: Path, suffix: str) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / f"a.{suffix}")
    assert read_infotext(tmp_path / f"a.{suffix}") == ""


def test_a_camera_picture_has_no_infotext(tmp_path: Path) -> None:
    camera = Image.Exif()
    camera[0x010F] = "Some Camera"
    Image.new("RGB", (4, 4)).save(tmp_path / "a.jpg", exif=camera)
    assert read_infotext(tmp_path / "a.jpg") == ""


BOMB = zlib.compress(b"a" * 50_000_000, 9)


@pytest.mark.parametrize(
    "bomb",
    [chunk(b"zTXt", b"parameters\0\0" + BOMB), chunk(b"iTXt", b"parameters\0\1\0\0\0" + BOMB)],
)
def test_a_decompression_bomb_is_refused(tmp_path: Path, bomb: bytes) -> None:
    path = write_chunks(tmp_path / "a.png", bomb)
    with peak_memory_below(8 * MAX_TEXT), pytest.raises(InvalidInput):
        read_infotext(path)


def test_a_text_chunk_longer_than_any_prompt_is_skipped(tmp_path: Path) -> None:
    large = chunk(b"tEXt", b"parameters\0" + b"a" * (MAX_TEXT + 1))
    assert read_infotext(write_chunks(tmp_path / "a.png", large)) == ""
    small = chunk(b"tEXt", b"parameters\0" + TEXT.encode())
    assert read_infotext(write_chunks(tmp_path / "b.png", large, small)) == TEXT


@pytest.mark.parametrize("suffix", ["png", "webp"])
def test_large_files_are_not_read_whole(tmp_path: Path, suffix: str) -> None:
    """Neither pixels nor unknown chunks, whatever size they have."""
    size = 256 << 20
    path = tmp_path / f"a.{suffix}"
    with path.open("wb") as file:
        if suffix == "png":
            file.write(PNG_MARK + struct.pack(">I", size) + b"IDAT")
            end = b"\0\0\0\0" + chunk(b"tEXt", b"parameters\0" + TEXT.encode())
        else:
            data = exif(b"ASCII\0\0\0" + TEXT.encode())
            file.write(b"RIFF\0\0\0\0WEBPVP8 " + struct.pack("<I", size))
            end = b"EXIF" + struct.pack("<I", len(data)) + data
        file.seek(size, 1)
        file.write(end)
    with peak_memory_below(8 * MAX_TEXT):
        assert read_infotext(path) == TEXT


def test_a_picture_of_any_size_is_read(tmp_path: Path) -> None:
    """Large upscaled pictures are no decompression bombs, since no pixel is decoded."""
    path = write_png(tmp_path / "a.png", TEXT)
    data = bytearray(path.read_bytes())
    data[16:24] = struct.pack(">II", 65_000, 65_000)
    path.write_bytes(bytes(data))
    assert read_infotext(path) == TEXT


@pytest.mark.parametrize("filler", [b"\xff\xe1\xff\xff" + b"a" * 65_533, b"a"])
def test_a_jpeg_with_endless_metadata_is_refused(tmp_path: Path, filler: bytes) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"\xff\xd8\xff" + filler[1:] + filler * (48 * MAX_TEXT // len(filler)))
    with peak_memory_below(80 * MAX_TEXT), pytest.raises(InvalidInput):
        read_infotext(path)


@contextlib.contextmanager
def peak_memory_below(limit: int) -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < limit
    finally:
        tracemalloc.stop()


JPEG = b"\xff\xd8"
EXIF = b"Exif\0\0"


def jpeg_with(segments: bytes) -> bytes:
    """A whole picture with more segments at its start."""
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4)).save(buffer, "JPEG")
    return JPEG + segments + buffer.getvalue()[2:]


def app1(data: bytes) -> bytes:
    return b"\xff\xe1" + struct.pack(">H", len(data) + 2) + data


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GIF89a......",
        b"no picture at all",
        PNG_MARK,
        PNG_MARK + b"\0\0\0\x0dIHDR",
        PNG_MARK + b"\xff\xff\xff\xfftEXt" + b"x" * 50,
        PNG_MARK + b"\xff\xff\xff\xffIDAT",
        PNG_MARK + chunk(b"tEXt", b"parameters\0text")[:-8],
        JPEG,
        JPEG + b"\xff\xe1",
        JPEG + b"no mark",
        JPEG + b"\xff\xe0\0\0",
        JPEG + b"\xff\xd9",
        jpeg_with(app1(EXIF + b"XX*\0")),
        jpeg_with(app1(EXIF + b"II*\0\xff\xff\xff\xff")),
        jpeg_with(app1(EXIF + b"II")),
        jpeg_with(app1(EXIF)),
        jpeg_with(app1(EXIF + exif(b"", pointer=0xFFFFFFF0))),
        jpeg_with(app1(EXIF + exif(b"a comment")))[:100],
        b"RIFF\0\0\0\0WEBPEXIF",
        b"RIFF\0\0\0\0WEBPEXIF\4\0\0\0oops",
        PNG_MARK + chunk(b"junk", b"") * 30_000,
        JPEG + b"\xff" * 100_000,
    ],
)
def test_files_that_are_no_picture_or_damaged_are_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(data)
    with pytest.raises(InvalidInput):
        read_infotext(path)


@pytest.mark.parametrize(
    "data",
    [
        jpeg_with(app1(EXIF + exif(b"UNICODE\0"))),
        jpeg_with(app1(b"http://ns.adobe.com/xap/1.0/\0<x/>")),
        jpeg_with(b"\xff" * 9),
        b"RIFF\0\0\0\0WEBP",
        PNG_MARK + chunk(b"zTXt", b"parameters\0\0not compressed") + chunk(b"IEND", b""),
    ],
)
def test_unusual_files_have_no_infotext(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(data)
    assert read_infotext(path) == ""


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["png", "jpg", "webp"]),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=8),
    st.integers(0, 400),
)
def test_damaged_files_are_read_or_refused(
    tmp_path: Path, suffix: str, damage: list[tuple[int, int]], cut: int
) -> None:
    path = tmp_path / f"a.{suffix}"
    if not path.exists():
        (write_png if suffix == "png" else write_as_the_webui)(path, TEXT)
        (tmp_path / f"whole.{suffix}").write_bytes(path.read_bytes())
    data = bytearray((tmp_path / f"whole.{suffix}").read_bytes())
    for place, value in damage:
        data[place % len(data)] = value
    path.write_bytes(bytes(data[: len(data) - cut]))
    with contextlib.suppress(InvalidInput):
        assert isinstance(read_infotext(path), str)

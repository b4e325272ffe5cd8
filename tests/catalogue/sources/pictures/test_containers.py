"""Real and hostile picture files."""

from __future__ import annotations

import contextlib
import struct
import time
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from stylus_ext.catalogue.sources.pictures.infotext import MOST_TEXT, infotext_of
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
    assert infotext_of(write_png(tmp_path / "a.png", text)) == text


@pytest.mark.parametrize("suffix", ["jpg", "jpeg", "webp"])
@pytest.mark.parametrize("text", [TEXT, WIDE])
def test_a_jpeg_or_webp_of_the_webui(tmp_path: Path, suffix: str, text: str) -> None:
    assert infotext_of(write_as_the_webui(tmp_path / f"a.{suffix}", text)) == text


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
    assert infotext_of(write_with_exif(tmp_path / f"a.{suffix}", exif(comment, order))) == TEXT


def test_the_same_file_says_the_same_after_a_rename(tmp_path: Path) -> None:
    assert infotext_of(write_png(tmp_path / "a.png", TEXT).rename(tmp_path / "a.jpg")) == TEXT


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
    assert infotext_of(write_chunks(tmp_path / "a.png", *chunks)) == TEXT


def test_text_behind_the_picture_is_found(tmp_path: Path) -> None:
    path = write_chunks(tmp_path / "a.png")
    path.write_bytes(
        path.read_bytes()[:-12]
        + chunk(b"tEXt", b"parameters\0" + TEXT.encode())
        + chunk(b"IEND", b"")
    )
    assert infotext_of(path) == TEXT


def test_latin_letters_are_read_as_they_were_written(tmp_path: Path) -> None:
    assert (
        infotext_of(write_chunks(tmp_path / "a.png", chunk(b"tEXt", b"parameters\0W\xfcrfel")))
        == "Würfel"
    )


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_a_picture_without_infotext_says_nothing(tmp_path: Path, suffix: str) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / f"a.{suffix}")
    assert infotext_of(tmp_path / f"a.{suffix}") == ""


def test_a_camera_picture_says_nothing(tmp_path: Path) -> None:
    camera = Image.Exif()
    camera[0x010F] = "Some Camera"
    Image.new("RGB", (4, 4)).save(tmp_path / "a.jpg", exif=camera)
    assert infotext_of(tmp_path / "a.jpg") == ""


BOMB = zlib.compress(b"a" * 50_000_000, 9)


@pytest.mark.parametrize(
    "chunks",
    [[chunk(b"zTXt", b"parameters\0\0" + BOMB)], [chunk(b"iTXt", b"parameters\0\1\0\0\0" + BOMB)]],
)
def test_a_bomb_is_not_unpacked(tmp_path: Path, chunks: list[bytes]) -> None:
    start = time.process_time()
    assert len(infotext_of(write_chunks(tmp_path / "a.png", *chunks))) <= MOST_TEXT
    assert time.process_time() - start < 1


def test_text_longer_than_any_prompt_is_passed_over(tmp_path: Path) -> None:
    assert (
        infotext_of(
            write_chunks(
                tmp_path / "a.png", chunk(b"tEXt", b"parameters\0" + b"a" * (MOST_TEXT + 1))
            )
        )
        == ""
    )


JPEG = b"\xff\xd8"
EXIF = b"Exif\0\0"


def app1(data: bytes) -> bytes:
    return JPEG + b"\xff\xe1" + struct.pack(">H", len(data) + 2) + data


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
        PNG_MARK + chunk(b"zTXt", b"parameters\0\0not packed"),
        JPEG,
        JPEG + b"\xff\xe1",
        JPEG + b"no mark",
        JPEG + b"\xff\xe0\0\0",
        app1(EXIF + b"XX*\0"),
        app1(EXIF + b"II*\0\xff\xff\xff\xff"),
        app1(EXIF + b"II"),
        app1(EXIF),
        app1(EXIF + exif(b"", pointer=0xFFFFFFF0)),
        b"RIFF\0\0\0\0WEBPEXIF",
        b"RIFF\0\0\0\0WEBPEXIF\4\0\0\0oops",
        PNG_MARK + chunk(b"junk", b"") * 30_000,
        JPEG + b"\xff" * 100_000,
    ],
)
def test_what_is_no_picture_or_a_broken_one_is_refused_with_a_reason(
    tmp_path: Path, data: bytes
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(data)
    with pytest.raises(InvalidInput, match=r"^it |^its |^the EXIF"):
        infotext_of(path)


@pytest.mark.parametrize(
    "data",
    [
        app1(EXIF + exif(b"")),
        app1(EXIF + exif(b"UNICODE\0")),
        app1(b"http://ns.adobe.com/xap/1.0/\0<x/>") + b"\xff\xd9",
        JPEG + b"\xff\xd9",
        b"RIFF\0\0\0\0WEBP",
        JPEG + b"\xff\x01\xff\xd0\xff\xff\xda",
    ],
)
def test_odd_but_whole_files_say_nothing(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(data)
    assert infotext_of(path) == ""


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["png", "jpg", "webp"]),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=8),
    st.integers(0, 400),
)
def test_damaged_files_never_do_worse_than_refuse(
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
        assert isinstance(infotext_of(path), str)

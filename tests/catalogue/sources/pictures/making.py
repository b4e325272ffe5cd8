"""Makes picture files, with Pillow or byte by byte."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

from PIL import Image, PngImagePlugin

PNG_MARK = b"\x89PNG\r\n\x1a\n"
_USER_COMMENT, _EXIF_POINTER = 0x9286, 0x8769


def infotext(prompt: str, **parameters: str) -> str:
    values = {
        "Steps": "20",
        "Sampler": "DPM++ 2M Karras",
        "CFG scale": "7",
        "Seed": "1",
        "Size": "512x512",
        **parameters,
    }
    return f"{prompt}\nNegative prompt: bad hands, (worst quality:1.4)\n" + ", ".join(
        f"{key}: {value}" for key, value in values.items()
    )


def write_png(path: Path, text: str) -> Path:
    """As the WebUI does: tEXt for Latin-1, iTXt for anything else."""
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", text)
    Image.new("RGB", (4, 4), "red").save(path, pnginfo=info)
    return path


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def write_chunks(path: Path, *chunks: bytes) -> Path:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    path.write_bytes(
        PNG_MARK
        + head
        + b"".join(chunks)
        + chunk(b"IDAT", zlib.compress(b"\0\0"))
        + chunk(b"IEND", b"")
    )
    return path


def exif(comment: bytes, order: str = "<", pointer: int | None = None) -> bytes:
    """A TIFF head, one entry that points to the EXIF part, and there one user comment."""
    mark = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(f"{order}I", 8)
    first = struct.pack(
        f"{order}HHHIII", 1, _EXIF_POINTER, 4, 1, 26 if pointer is None else pointer, 0
    )
    second = struct.pack(f"{order}HHHIII", 1, _USER_COMMENT, 7, len(comment), 44, 0)
    return mark + first + second + comment


def write_with_exif(path: Path, data: bytes) -> Path:
    """JPEG or WebP by the suffix; `data` is everything behind the Exif mark."""
    Image.new("RGB", (4, 4), "red").save(path, exif=b"Exif\0\0" + data)
    return path


def write_as_the_webui(path: Path, text: str) -> Path:
    return write_with_exif(path, exif(b"UNICODE\0" + text.encode("utf-16-be"), ">"))

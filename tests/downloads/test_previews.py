"""Pictures beside files: only from where they may come from, only what is a picture, and never a
reason to fail.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from stylus_ext.core.errors import Cancelled
from stylus_ext.downloads.sidecars import EDGE, write_preview
from stylus_ext.net import TimeLimits
from stylus_ext.net.thumbnails import RemotePictures, Thumbnails
from tests.civitai_service.faults import Fault
from tests.civitai_service.service import CivitaiService, serving
from tests.net.thumbnails.making import picture


@pytest.fixture
def civitai() -> Iterator[CivitaiService]:
    with serving() as service:
        yield service


@pytest.fixture
def pictures(civitai: CivitaiService) -> Iterator[RemotePictures]:
    made = RemotePictures(
        Thumbnails(edge=EDGE), {civitai.api}, TimeLimits(tries=1, stall_s=1.0, total_s=2.0)
    )
    yield made
    made.close()


def free() -> None:
    pass


def written(
    pictures: RemotePictures, civitai: CivitaiService, body: bytes, file: Path, **fault: object
) -> bool:
    civitai.faults.add(Fault("/pic", status=200, body=body, headers={"Content-Type": ""}, **fault))  # type: ignore[arg-type]
    return write_preview(pictures, f"{civitai.api}/pic/1.jpeg", file, free)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_picture_is_made_small_and_called_as_the_host_looks_for_it(
    pictures: RemotePictures, civitai: CivitaiService, tmp_path: Path, kind: str
) -> None:
    assert written(
        pictures, civitai, picture(kind, (1600, 800)), tmp_path / "v1.5 rain.safetensors"
    )
    with Image.open(io.BytesIO((tmp_path / "v1.5 rain.preview.jpeg").read_bytes())) as made:
        assert (made.format, made.size) == ("JPEG", (768, 384))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<svg/>",
        b"GIF89a" + bytes(30),
        b"\x89PNG\r\n\x1a\n" + bytes(30),
        picture("GIF"),
        picture()[:20],
    ],
    ids=len,
)
def test_what_is_no_picture_is_left(
    pictures: RemotePictures, civitai: CivitaiService, tmp_path: Path, body: bytes
) -> None:
    assert not written(pictures, civitai, body, tmp_path / "rain.safetensors")
    assert list(tmp_path.glob("rain*")) == []


@pytest.mark.parametrize("there", ["rain.png", "rain.preview.webp", "rain.jpg"])
def test_a_picture_that_is_there_stays(
    pictures: RemotePictures, civitai: CivitaiService, tmp_path: Path, there: str
) -> None:
    (tmp_path / there).write_bytes(b"mine")
    assert not written(pictures, civitai, picture(), tmp_path / "rain.safetensors")
    assert [(path.name, path.read_bytes()) for path in tmp_path.glob("rain*")] == [(there, b"mine")]
    assert not civitai.seen


def test_other_origins_are_not_asked(
    pictures: RemotePictures, civitai: CivitaiService, tmp_path: Path
) -> None:
    for url in (
        "",
        "not an address",
        "http://127.0.0.1:1/pic",
        "file:///etc/passwd",
        f"{civitai.storage}/pic",
    ):
        assert not write_preview(pictures, url, tmp_path / "rain.safetensors", free)
    assert not civitai.seen


def test_what_goes_wrong_is_no_error_but_a_stop_is(
    pictures: RemotePictures, civitai: CivitaiService, tmp_path: Path
) -> None:
    assert not written(pictures, civitai, picture(), tmp_path / "rain.safetensors", cut_at=5)
    civitai.faults.add(Fault("/pic", status=404))
    assert not write_preview(pictures, f"{civitai.api}/pic", tmp_path / "rain.safetensors", free)

    def stop() -> None:
        raise Cancelled("Stopped, as you asked.")

    with pytest.raises(Cancelled):
        write_preview(pictures, f"{civitai.api}/pic", tmp_path / "rain.safetensors", stop)

"""Pictures beside files: only from where they may come from, only what is a picture, and never a reason to fail."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from stylus_ext.backends.download.previews import ORIGINS, write_preview
from stylus_ext.backends.http import Http, Limits
from stylus_ext.core.errors import Cancelled
from tests.civitai_service import CivitaiService, Fault, serving


def picture(kind: str = "PNG", size: tuple[int, int] = (8, 8)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, "red").save(out, kind)
    return out.getvalue()


@pytest.fixture
def civitai() -> Iterator[CivitaiService]:
    with serving() as service:
        yield service


@pytest.fixture
def http() -> Iterator[Http]:
    client = Http(limits=Limits(tries=1, stall_s=1.0, total_s=2.0))
    yield client
    client.close()


def free() -> None:
    pass


def written(http: Http, civitai: CivitaiService, body: bytes, file: Path, **fault: object) -> bool:
    civitai.faults.add(Fault("/pic", status=200, body=body, headers={"Content-Type": "image/png"}, **fault))  # type: ignore[arg-type]
    return write_preview(http, f"{civitai.api}/pic/1.jpeg", file, free, {civitai.api})


@pytest.mark.parametrize(("kind", "suffix"), [("PNG", "png"), ("JPEG", "jpeg"), ("WEBP", "webp")])
def test_a_picture_is_called_as_the_host_looks_for_it(http: Http, civitai: CivitaiService, tmp_path: Path, kind: str, suffix: str) -> None:
    assert written(http, civitai, picture(kind), tmp_path / "v1.5 rain.safetensors")
    assert (tmp_path / f"v1.5 rain.preview.{suffix}").read_bytes() == picture(kind)


@pytest.mark.parametrize("body", [b"", b"<svg/>", b"GIF89a" + bytes(30), b"\x89PNG\r\n\x1a\n" + bytes(30), picture("GIF"), picture()[:20]], ids=len)
def test_what_is_no_picture_is_left(http: Http, civitai: CivitaiService, tmp_path: Path, body: bytes) -> None:
    assert not written(http, civitai, body, tmp_path / "rain.safetensors")
    assert list(tmp_path.glob("rain*")) == []


def test_more_than_a_picture_needs_is_not_read(http: Http, civitai: CivitaiService, tmp_path: Path) -> None:
    assert not written(http, civitai, picture() + bytes(9_000_000), tmp_path / "rain.safetensors")
    assert not written(http, civitai, picture(size=(10_000, 5_000)), tmp_path / "rain.safetensors")
    assert list(tmp_path.glob("rain*")) == []


@pytest.mark.parametrize("there", ["rain.png", "rain.preview.webp", "rain.jpg"])
def test_a_picture_that_is_there_stays(http: Http, civitai: CivitaiService, tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_bytes(b"mine")
    assert not written(http, civitai, picture(), tmp_path / "rain.safetensors")
    assert [(path.name, path.read_bytes()) for path in tmp_path.glob("rain*")] == [(there, b"mine")]
    assert not civitai.seen


def test_other_origins_are_not_asked_nor_followed_to(http: Http, civitai: CivitaiService, tmp_path: Path) -> None:
    file = tmp_path / "rain.safetensors"
    for url in ("", "not an address", "http://127.0.0.1:1/pic", "file:///etc/passwd", f"{civitai.storage}/pic"):
        assert not write_preview(http, url, file, free, {civitai.api})
    assert not civitai.seen
    civitai.faults.add(Fault("/pic", on="api", status=302, headers={"Location": f"{civitai.storage}/pic"}))
    civitai.faults.add(Fault("/pic", on="storage", status=200, body=picture()))
    assert not write_preview(http, f"{civitai.api}/pic", file, free, {civitai.api})
    assert list(tmp_path.glob("rain*")) == []
    assert all(origin.startswith("https://") for origin in ORIGINS)


def test_what_goes_wrong_is_no_error_but_a_stop_is(http: Http, civitai: CivitaiService, tmp_path: Path) -> None:
    assert not written(http, civitai, picture(), tmp_path / "rain.safetensors", cut_at=5)
    civitai.faults.add(Fault("/pic", status=404))
    assert not write_preview(http, f"{civitai.api}/pic", tmp_path / "rain.safetensors", free, {civitai.api})

    def stop() -> None:
        raise Cancelled("Stopped, as you asked.")

    with pytest.raises(Cancelled):
        write_preview(http, f"{civitai.api}/pic", tmp_path / "rain.safetensors", stop, {civitai.api})

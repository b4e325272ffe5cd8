"""Pictures of cards, fetched once over real sockets and kept in a folder."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from stylus_ext.core.errors import StylusError, Unavailable
from stylus_ext.net.thumbnails import KeptPictures, RemotePictures, Thumbnails
from tests.civitai_service.faults import Fault
from tests.civitai_service.service import CivitaiService, serving
from tests.net.thumbnails.making import picture
from tests.net.thumbnails.test_remote import PNG, QUICK


@pytest.fixture
def service() -> Iterator[CivitaiService]:
    with serving() as service:
        yield service


def kept(service: CivitaiService, folder: Path, most: int = 100) -> KeptPictures:
    return KeptPictures(
        folder / "pictures", lambda: RemotePictures(Thumbnails(edge=64), {service.api}, QUICK), most
    )


def test_a_picture_is_fetched_once_and_found_again_by_another_engine(
    service: CivitaiService, tmp_path: Path
) -> None:
    service.faults.add(
        Fault("/pic", status=200, body=picture(size=(900, 300)), headers=PNG, times=99)
    )
    first, second = kept(service, tmp_path), kept(service, tmp_path)
    data = first.small(f"{service.api}/pic.png")
    assert data.startswith(b"\xff\xd8\xff")
    assert first.small(f"{service.api}/pic.png") == second.small(f"{service.api}/pic.png") == data
    assert len(service.seen) == 1
    assert len(list((tmp_path / "pictures").iterdir())) == 1
    first.close()
    second.close()


def test_what_is_no_picture_is_not_asked_for_again_at_once(
    service: CivitaiService, tmp_path: Path
) -> None:
    service.faults.add(Fault("/pic", status=200, body=b"no picture at all", headers=PNG, times=99))
    pictures = kept(service, tmp_path)
    with pytest.raises(StylusError):
        pictures.small(f"{service.api}/pic.png")
    with pytest.raises(Unavailable):
        pictures.small(f"{service.api}/pic.png")
    assert len(service.seen) == 1
    assert not (tmp_path / "pictures").exists()
    pictures.close()


@pytest.mark.parametrize(
    "url", ["", "file:///etc/passwd", "https://elsewhere.org/x", "http://127.0.0.1:1/x"]
)
def test_another_host_is_not_asked(service: CivitaiService, tmp_path: Path, url: str) -> None:
    pictures = kept(service, tmp_path)
    with pytest.raises(StylusError):
        pictures.small(url)
    assert not service.seen
    pictures.close()


def test_those_that_were_looked_at_last_stay(service: CivitaiService, tmp_path: Path) -> None:
    service.faults.add(Fault("/pic", status=200, body=picture(), headers=PNG, times=99))
    pictures = kept(service, tmp_path, most=2)
    for number in range(2):
        pictures.small(f"{service.api}/pic{number}")
    for file in (tmp_path / "pictures").iterdir():
        os.utime(file, (1, 1))
    pictures.small(f"{service.api}/pic0")
    pictures.small(f"{service.api}/pic2")
    asked = len(service.seen)
    pictures.small(f"{service.api}/pic0")
    assert len(service.seen) == asked
    pictures.small(f"{service.api}/pic1")
    assert len(service.seen) == asked + 1
    pictures.close()


def test_nobody_waits_in_a_line(service: CivitaiService, tmp_path: Path) -> None:
    """Slow hosts must not take the engine's threads from those who plan."""
    under_way, go_on = threading.Semaphore(0), threading.Event()

    def held() -> None:
        under_way.release()
        assert go_on.wait(60)

    service.faults.add(Fault("/pic", status=200, body=picture(), headers=PNG, times=99))
    pictures = kept(service, tmp_path)
    slow = [
        threading.Thread(target=pictures.small, args=(f"{service.api}/pic{number}", held))
        for number in range(2)
    ]
    for one in slow:
        one.start()
    for _ in slow:
        assert under_way.acquire(timeout=60)
    with pytest.raises(Unavailable):
        pictures.small(f"{service.api}/pic9")
    go_on.set()
    for one in slow:
        one.join(60)
    assert pictures.small(f"{service.api}/pic9")
    pictures.close()


def test_a_folder_that_takes_nothing_is_no_reason_to_show_nothing(
    service: CivitaiService, tmp_path: Path
) -> None:
    service.faults.add(Fault("/pic", status=200, body=picture(), headers=PNG, times=99))
    (tmp_path / "pictures").write_text("a file", "utf-8")
    pictures = kept(service, tmp_path)
    assert pictures.small(f"{service.api}/pic") == pictures.small(f"{service.api}/pic")
    pictures.close()

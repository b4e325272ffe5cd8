"""Card pictures: off by default; switched on, from the services' own hosts only."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from stylus_ext.core.errors import InvalidInput, StylusError
from stylus_ext.engine.downloads import CardPictures
from stylus_ext.engine.stylus import Stylus
from stylus_ext.net.thumbnails import KeptPictures, RemotePictures, Thumbnails
from tests.civitai_service.faults import Fault
from tests.civitai_service.service import CivitaiService, serving
from tests.engine.test_operations import ask, stylus
from tests.fakes import make_entry
from tests.net.thumbnails.making import picture

__all__ = ["stylus"]


@pytest.fixture
def service() -> Iterator[CivitaiService]:
    with serving() as service:
        service.faults.add(
            Fault(
                "/pic",
                status=200,
                body=picture(size=(90, 30)),
                headers={"Content-Type": "image/png"},
                times=99,
            )
        )
        yield service


@pytest.fixture
def shown(stylus: Stylus, service: CivitaiService, tmp_path: Path) -> Stylus:
    """With a picture's address in the card, and switched on."""
    stylus.catalogue.store.write([make_entry(1, preview=f"{service.api}/pic.png"), make_entry(2)])
    return stylus


def switched_on(stylus: Stylus, service: CivitaiService, folder: Path) -> Stylus:
    def remote() -> RemotePictures:
        return RemotePictures(Thumbnails(), {service.api})

    return replace(
        stylus,
        pictures=CardPictures(
            KeptPictures(folder, remote),
            True,
            stylus.catalogue.store.memory,
            stylus.pictures.previews,
        ),
    )


def test_by_itself_nothing_is_fetched_and_nobody_is_told_of_a_picture(
    shown: Stylus, service: CivitaiService
) -> None:
    assert ask(shown, "cards", keys=["civitai:1"])["cards"]["civitai:1"]["preview"] is False
    assert ask(shown, "show", key="civitai:1")["entry"]["preview"] is False
    with pytest.raises(InvalidInput, match="--thumbnails"):
        ask(shown, "picture", key="civitai:1")
    assert not service.seen
    assert "picture" not in str(ask(shown, "status")["leaves_the_machine"])


def test_switched_on_it_comes_small_and_is_kept(
    shown: Stylus, service: CivitaiService, tmp_path: Path
) -> None:
    shown = switched_on(shown, service, tmp_path / "more")
    assert [
        ask(shown, "cards", keys=[key])["cards"][key]["preview"]
        for key in ("civitai:1", "civitai:2")
    ] == [True, False]
    assert ask(shown, "browse", text="")["entries"][0]["preview"] in (True, False)
    message = [ask(shown, "picture", key="civitai:1") for _ in range(2)]
    assert message[0] == message[1]
    assert message[0]["type"] == "image/jpeg"
    assert base64.b64decode(message[0]["data"]).startswith(b"\xff\xd8\xff")
    assert len(service.seen) == 1
    with pytest.raises(InvalidInput):
        ask(shown, "picture", key="civitai:2")
    shown.pictures.close()


def test_only_the_services_own_hosts_are_asked(
    shown: Stylus, service: CivitaiService, tmp_path: Path
) -> None:
    pictures = CardPictures(
        KeptPictures(tmp_path / "more"), True, shown.catalogue.store.memory, shown.pictures.previews
    )
    shown = replace(shown, pictures=pictures)
    with pytest.raises(StylusError):
        ask(shown, "picture", key="civitai:1")
    assert not service.seen
    pictures.close()


def test_the_status_lists_pictures_among_what_leaves_the_machine(
    stylus: Stylus, tmp_path: Path
) -> None:
    on = replace(
        stylus,
        pictures=CardPictures(
            KeptPictures(tmp_path / "more"),
            True,
            stylus.catalogue.store.memory,
            stylus.pictures.previews,
        ),
    )
    assert any("small pictures" in line for line in ask(on, "status")["leaves_the_machine"])


def test_consent_is_remembered_and_can_be_taken_back(stylus: Stylus, tmp_path: Path) -> None:
    assert ask(stylus, "card_pictures") == {"on": False, "by_settings": False}
    with pytest.raises(InvalidInput):
        ask(stylus, "picture", key="civitai:1")
    assert ask(stylus, "card_pictures", allow=True)["on"]
    memory = stylus.catalogue.store.memory
    again = CardPictures(KeptPictures(tmp_path / "more"), False, memory, stylus.pictures.previews)
    assert again.on
    again.allow(False)
    assert not CardPictures(
        KeptPictures(tmp_path / "more"), False, memory, stylus.pictures.previews
    ).on

"""Pictures of cards over real sockets: from allowed hosts alone, never followed elsewhere, and no
more than they may be.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from stylus_ext.core.errors import Cancelled, InvalidInput, StylusError
from stylus_ext.net import BadAnswer, Http, HttpRefusal, TimeLimits, Unreachable
from stylus_ext.net.thumbnails import ORIGINS, NotAPicture, RemotePictures, Thumbnails
from tests.civitai_service.faults import Fault
from tests.civitai_service.service import CivitaiService, serving
from tests.net.thumbnails.making import picture

QUICK = TimeLimits(tries=1, stall_s=1.0, total_s=2.0, connect_s=2.0)
PNG = {"Content-Type": "image/png"}


@pytest.fixture
def service() -> Iterator[CivitaiService]:
    with serving() as service:
        yield service


@pytest.fixture
def pictures(service: CivitaiService) -> Iterator[RemotePictures]:
    made = RemotePictures(Thumbnails(), {service.api}, QUICK)
    yield made
    made.close()


def test_a_picture_of_an_allowed_host_comes_small_and_nothing_of_ours_goes(
    service: CivitaiService, pictures: RemotePictures
) -> None:
    service.faults.add(Fault("/pic", status=200, body=picture(size=(900, 300)), headers=PNG))
    assert pictures.small(f"{service.api}/pic.png").startswith(b"\xff\xd8\xff")
    assert not {"authorization", "cookie", "referer"} & set(service.seen[0].headers)


def test_the_hosts_are_those_of_the_services_over_https() -> None:
    assert all(origin.startswith("https://") for origin in ORIGINS)
    assert RemotePictures().allows("https://image.civitai.com/x/1.jpeg")
    for url in (
        "http://image.civitai.com/x",
        "https://image.civitai.com.evil.org/",
        "https://image.civitai.com@evil.org/",
        "x",
        "https://10.0.0.1/",
    ):
        assert not RemotePictures().allows(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "file:///etc/passwd",
        "http://127.0.0.1:1/x",
        "https://192.168.1.1/x",
        "https://elsewhere.org/x",
    ],
)
def test_another_host_is_not_asked(
    service: CivitaiService, pictures: RemotePictures, url: str
) -> None:
    with pytest.raises(StylusError):
        pictures.small(url)
    assert not service.seen


def test_it_is_not_followed_to_another_host(
    service: CivitaiService, pictures: RemotePictures
) -> None:
    service.faults.add(
        Fault("/pic", on="api", status=302, headers={"Location": f"{service.storage}/pic"})
    )
    with pytest.raises(BadAnswer):
        pictures.small(f"{service.api}/pic")
    assert [seen.on for seen in service.seen] == ["api"]
    service.faults.add(
        Fault("/pic", on="api", status=302, headers={"Location": "/other"}),
        Fault("/other", status=200, body=picture(), headers=PNG),
    )
    assert pictures.small(f"{service.api}/pic")


def test_a_name_that_leads_inside_is_not_talked_to(
    service: CivitaiService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after somebody has changed what the name leads to: the address is allowed, the machine
    behind it is not.
    """
    port = int(service.api.rpartition(":")[2])
    found = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *rest, **named: found(
            "127.0.0.1" if host == "pictures.example" else host, *rest, **named
        ),
    )
    url = f"http://pictures.example:{port}"
    service.faults.add(Fault("/pic", status=200, body=picture(), headers=PNG))
    careful, trusting = Http(limits=QUICK, within={url}), Http(limits=QUICK)
    with pytest.raises(Unreachable), careful.stream(f"{url}/pic"):
        pass
    assert not service.seen
    with trusting.stream(f"{url}/pic") as answer:
        assert answer.status == 200
    careful.close()
    trusting.close()


def test_a_client_for_some_origins_asks_no_other(service: CivitaiService) -> None:
    http = Http(limits=QUICK, within={service.api})
    with pytest.raises(InvalidInput):
        http.json(f"{service.storage}/x")
    http.close()
    assert not service.seen


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (
            Fault(
                "/pic",
                status=200,
                body=b"<html>log in</html>",
                headers={"Content-Type": "text/html"},
            ),
            NotAPicture,
        ),
        (
            Fault("/pic", status=200, body=picture(), headers={"Content-Type": "text/html"}),
            NotAPicture,
        ),
        (Fault("/pic", status=404), HttpRefusal),
        (
            Fault("/pic", status=200, body=picture(), headers=PNG, cut_at=5),
            Unreachable,
        ),
        (
            Fault("/pic", status=200, body=picture(), headers=PNG, stall_at=5),
            Unreachable,
        ),
        (
            Fault("/pic", status=200, body=picture() + bytes(70_000), headers=PNG),
            NotAPicture,
        ),
    ],
    ids=lambda value: value.status if isinstance(value, Fault) else None,
)
def test_what_is_no_picture_raises_a_typed_error(
    service: CivitaiService, fault: Fault, error: type[StylusError]
) -> None:
    pictures = RemotePictures(Thumbnails(largest=60_000), {service.api}, QUICK)
    service.faults.add(fault)
    with pytest.raises(error):
        pictures.small(f"{service.api}/pic")
    pictures.close()


def test_an_endless_one_is_not_read_to_its_end(service: CivitaiService) -> None:
    pictures = RemotePictures(Thumbnails(largest=100_000), {service.api}, QUICK)
    service.faults.add(Fault("/pic", status=200, body=bytes(40_000_000), headers=PNG))
    with pytest.raises(NotAPicture):
        pictures.small(f"{service.api}/pic")
    pictures.close()


def test_a_stop_ends_the_waiting(service: CivitaiService, pictures: RemotePictures) -> None:
    def stop() -> None:
        raise Cancelled("Stopped, as you asked.")

    with pytest.raises(Cancelled):
        pictures.small(f"{service.api}/pic", stop)

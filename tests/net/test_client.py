"""Requests over real sockets: what comes back, what is tried again, and where the key goes."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stylus_ext import __version__
from stylus_ext.core.errors import Cancelled, InvalidInput
from stylus_ext.net import BadAnswer, Http, HttpRefusal, Key, TimeLimits, Unreachable
from stylus_ext.net.client import AGENT
from tests.civitai_service.faults import Fault
from tests.civitai_service.service import CivitaiService
from tests.civitai_service.shapes import a_model, a_version
from tests.stops import StopAfter

MakeHttp = Callable[..., Http]
SECRET = "the-right-key"
ENUMS = "/api/v1/enums"


def stopping_after(seconds: float) -> Callable[[], None]:
    until = time.monotonic() + seconds

    def check() -> None:
        if time.monotonic() > until:
            raise Cancelled("Stopped, as you asked.")

    return check


def read(http: Http, url: str, headers: dict[str, str] | None = None, **named: Any) -> bytes:
    with http.stream(url, headers, **named) as answer:
        return b"".join(answer.pieces())


def with_file(civitai: CivitaiService, body: bytes = b"0123456789") -> str:
    civitai.add(a_model(1, a_version(11)), files={11: body})
    return f"{civitai.api}/api/download/models/11"


def test_it_says_who_it_is_and_not_like_a_browser(civitai: CivitaiService, http: Http) -> None:
    http.json(f"{civitai.api}{ENUMS}")
    assert civitai.seen[0].headers["user-agent"] == AGENT == f"sd-webui-stylus/{__version__}"
    assert set(civitai.seen[0].headers) <= {
        "host",
        "accept",
        "accept-encoding",
        "connection",
        "user-agent",
    }


def test_parameters_may_be_repeated(civitai: CivitaiService, http: Http) -> None:
    http.json(f"{civitai.api}/api/v1/models", {"types": ["LORA", "DoRA"], "limit": "3"})
    assert civitai.seen[0].query == {"types": ["LORA", "DoRA"], "limit": ["3"]}


def test_a_body_is_posted(civitai: CivitaiService, http: Http) -> None:
    assert http.json(f"{civitai.api}/api/v1/model-versions/by-hash", body=["AB"]) == []
    assert (civitai.seen[0].method, civitai.seen[0].body) == ("POST", ["AB"])


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 524])
def test_what_passes_is_tried_again(civitai: CivitaiService, http: Http, status: int) -> None:
    civitai.faults.add(Fault(ENUMS, status=status, times=2))
    assert http.json(f"{civitai.api}{ENUMS}")
    assert len(civitai.seen) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 416, 425, 451])
def test_what_does_not_pass_is_not(civitai: CivitaiService, http: Http, status: int) -> None:
    civitai.faults.add(
        Fault(ENUMS, status=status, body={"error": {"code": "X", "message": "It is\nso."}})
    )
    with pytest.raises(HttpRefusal) as caught:
        http.json(f"{civitai.api}{ENUMS}")
    assert (caught.value.status, caught.value.message) == (status, "It is so")
    assert all(part in str(caught.value) for part in (str(status), "It is so"))
    assert len(civitai.seen) == 1


def test_it_gives_up_after_some_tries(civitai: CivitaiService, http: Http) -> None:
    civitai.faults.add(Fault(ENUMS, status=503, times=-1))
    with pytest.raises(HttpRefusal):
        http.json(f"{civitai.api}{ENUMS}")
    assert len(civitai.seen) == TimeLimits().tries


def test_pauses_grow(civitai: CivitaiService, make_http: MakeHttp) -> None:
    civitai.faults.add(Fault(ENUMS, status=503, times=3))
    make_http(limits=TimeLimits(first_pause_s=0.1, tries=4)).json(f"{civitai.api}{ENUMS}")
    gaps = [
        later.at - sooner.at for sooner, later in zip(civitai.seen, civitai.seen[1:], strict=False)
    ]
    # Each is twice the one before, less a quarter at most; a busy machine only makes them longer.
    assert [gap >= least for gap, least in zip(gaps, (0.07, 0.15, 0.3), strict=True)] == [True] * 3


def test_a_wish_for_a_pause_is_granted(civitai: CivitaiService, http: Http) -> None:
    civitai.faults.add(Fault(ENUMS, status=429, headers={"Retry-After": "1"}))
    http.json(f"{civitai.api}{ENUMS}")
    assert civitai.seen[1].at - civitai.seen[0].at >= 1


@pytest.mark.parametrize("wish", ["3600", "Fri, 01 Jan 2100 00:00:00 GMT"])
def test_a_wish_for_a_long_pause_ends_it(civitai: CivitaiService, http: Http, wish: str) -> None:
    civitai.faults.add(Fault(ENUMS, status=429, headers={"Retry-After": wish}, times=-1))
    with pytest.raises(HttpRefusal) as caught:
        http.json(f"{civitai.api}{ENUMS}")
    assert caught.value.retry_after is not None
    assert caught.value.retry_after >= 3600
    assert len(civitai.seen) == 1


@pytest.mark.parametrize("wish", ["soon", "-5", "9" * 400, "Fri, 99 Jan 2100", "1e9"])
def test_a_wish_that_is_none_is_passed_over(civitai: CivitaiService, http: Http, wish: str) -> None:
    civitai.faults.add(Fault(ENUMS, status=429, headers={"Retry-After": wish}))
    assert http.json(f"{civitai.api}{ENUMS}")


@pytest.mark.parametrize("fault", [{"headless": True}, {"cut_at": 20}, {"end_at": 20}], ids=str)
def test_a_broken_connection_is_tried_again(
    civitai: CivitaiService, http: Http, fault: dict[str, Any]
) -> None:
    civitai.faults.add(Fault(ENUMS, times=2, **fault))
    assert http.json(f"{civitai.api}{ENUMS}")
    assert len(civitai.seen) == 3


def test_nobody_there_is_said_in_a_sentence(make_http: MakeHttp) -> None:
    with pytest.raises(Unreachable, match=r"http://127\.0\.0\.1:9/x ") as caught:
        make_http(limits=TimeLimits(tries=1)).json("http://127.0.0.1:9/x?token=secret")
    assert "secret" not in str(caught.value)


def test_silence_is_not_waited_for_forever(civitai: CivitaiService, make_http: MakeHttp) -> None:
    civitai.faults.add(Fault(ENUMS, stall_at=10, times=-1))
    with pytest.raises(Unreachable):
        make_http(limits=TimeLimits(tries=1, stall_s=0.3)).json(f"{civitai.api}{ENUMS}")


def test_a_trickle_is_not_waited_for_forever(civitai: CivitaiService, make_http: MakeHttp) -> None:
    civitai.faults.add(Fault(ENUMS, pace=20, times=-1))
    with pytest.raises(Unreachable):
        make_http(limits=TimeLimits(tries=1, total_s=0.5)).json(f"{civitai.api}{ENUMS}")


@pytest.mark.parametrize(
    "body",
    [
        b"<!DOCTYPE html><p>Just a moment",
        b"",
        b"{",
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b'{"a": ' + b"9" * 5000 + b"}",
    ],
)
def test_what_is_no_json_is_a_bad_answer(civitai: CivitaiService, http: Http, body: bytes) -> None:
    fault = Fault(ENUMS, status=200, body=body, headers={"Content-Type": "text/html"})
    civitai.faults.add(fault)
    assert http.json(f"{civitai.api}{ENUMS}"), "once is no more than bad luck"
    civitai.faults.add(replace(fault, times=-1))
    with pytest.raises(BadAnswer):
        http.json(f"{civitai.api}{ENUMS}")


def test_what_is_not_expected_is_asked_for_again_and_then_refused(
    civitai: CivitaiService, http: Http
) -> None:
    civitai.faults.add(Fault(ENUMS, status=200, body={"other": 1}))
    answer = http.json(f"{civitai.api}{ENUMS}", is_expected=lambda data: "other" not in str(data))
    assert "BaseModel" in str(answer)
    with pytest.raises(BadAnswer):
        http.json(f"{civitai.api}{ENUMS}", is_expected=lambda _: False)


def test_more_than_anybody_needs_is_not_read(civitai: CivitaiService, make_http: MakeHttp) -> None:
    civitai.faults.add(Fault(ENUMS, status=200, body=b'"' + b"x" * 3_000_000 + b'"', times=-1))
    with pytest.raises(BadAnswer):
        make_http(limits=TimeLimits(largest_json=1_000_000)).json(f"{civitai.api}{ENUMS}")


def test_a_refusal_that_is_a_page_says_nothing_to_a_user(
    civitai: CivitaiService, http: Http
) -> None:
    civitai.faults.add(Fault(ENUMS, status=403, body="<html>" + "x" * 500_000))
    with pytest.raises(HttpRefusal) as caught:
        http.json(f"{civitai.api}{ENUMS}")
    assert (caught.value.message, caught.value.body) == ("", None)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "civitai.com",
        "ftp://a/b",
        "https://",
        "https://me:pass@host/",
        "https://host:99999/",
        "http://a b/",
    ],
)
def test_an_address_that_is_none_is_refused(http: Http, url: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        http.json(url)
    assert "me:pass" not in str(caught.value)


# The key


def test_the_key_goes_to_its_origin_in_the_header(
    civitai: CivitaiService, make_http: MakeHttp
) -> None:
    answer = make_http(Key(civitai.api, SECRET)).json(f"{civitai.api}/api/v1/me")
    assert isinstance(answer, dict)
    assert civitai.seen[0].headers["authorization"] == f"Bearer {SECRET}"
    assert SECRET not in civitai.seen[0].target


def test_the_key_goes_nowhere_else(civitai: CivitaiService, make_http: MakeHttp) -> None:
    url = with_file(civitai)
    http = make_http(Key(civitai.api, SECRET))
    assert read(http, url) == b"0123456789"
    there = [one for one in civitai.seen if one.on == "storage"]
    assert len(there) == 1
    assert SECRET not in str(there[0])
    assert "authorization" not in there[0].headers
    http.json(f"http://localhost:{civitai.api.rpartition(':')[2]}{ENUMS}")
    assert SECRET not in str(civitai.seen[-1]), "another name is another origin"


def test_the_key_comes_back_with_the_way_back(civitai: CivitaiService, make_http: MakeHttp) -> None:
    civitai.faults.add(Fault("/start", status=302, headers={"Location": f"{civitai.storage}/away"}))
    civitai.faults.add(Fault("/away", status=302, headers={"Location": f"{civitai.api}/api/v1/me"}))
    make_http(Key(civitai.api, SECRET)).json(f"{civitai.api}/start")
    assert [SECRET in str(one) for one in civitai.seen] == [True, False, True]


def test_no_key_of_somebody_else_is_used(
    civitai: CivitaiService, make_http: MakeHttp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A .netrc neither adds a password nor takes the key's place."""
    netrc = tmp_path / ".netrc"
    netrc.write_text(
        "machine 127.0.0.1 login me password stolen\ndefault login me password stolen\n", "utf-8"
    )
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HOME", str(tmp_path))
    make_http(Key(civitai.api, SECRET)).json(f"{civitai.api}/api/v1/me")
    make_http().json(f"{civitai.api}{ENUMS}")
    assert [one.headers.get("authorization") for one in civitai.seen] == [f"Bearer {SECRET}", None]


def test_no_cookie_is_kept(civitai: CivitaiService, http: Http) -> None:
    civitai.faults.add(Fault(ENUMS, status=200, body={}, headers={"Set-Cookie": "who=you; Path=/"}))
    http.json(f"{civitai.api}{ENUMS}")
    http.json(f"{civitai.api}{ENUMS}")
    assert "cookie" not in civitai.seen[1].headers


def test_neither_key_nor_signature_is_logged(
    civitai: CivitaiService, make_http: MakeHttp, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    url = with_file(civitai)
    http = make_http(Key(civitai.api, SECRET))
    civitai.faults.add(
        Fault("/api/download", status=503), Fault("/bucket", on="storage", cut_at=3, times=-1)
    )
    with pytest.raises(Unreachable) as caught:
        read(http, url)
    said = caplog.text + str(caught.value) + repr(caught.value.__cause__) + repr(http.__dict__)
    assert "try 1" in said
    assert SECRET not in said
    assert "X-Amz" not in caplog.text + str(caught.value)
    assert next(iter(civitai.signed)) not in caplog.text + str(caught.value)


# Redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed(civitai: CivitaiService, http: Http, status: int) -> None:
    civitai.faults.add(Fault("/start", status=status, headers={"Location": ENUMS}))
    assert http.json(f"{civitai.api}/start")


@pytest.mark.parametrize(
    "target",
    ["ftp://host/x", "https://user:word@host/x", "file:///etc/passwd", "http://host:99999/"],
)
def test_redirects_to_nowhere_are_not(civitai: CivitaiService, http: Http, target: str) -> None:
    civitai.faults.add(Fault("/start", status=302, headers={"Location": target}))
    with pytest.raises(BadAnswer):
        http.json(f"{civitai.api}/start")


def test_circles_end(civitai: CivitaiService, http: Http) -> None:
    civitai.faults.add(Fault("/start", status=302, headers={"Location": "/start"}, times=-1))
    with pytest.raises(BadAnswer):
        http.json(f"{civitai.api}/start")
    assert len(civitai.seen) == TimeLimits().redirects + 1


def test_what_was_posted_is_not_sent_on(civitai: CivitaiService, http: Http) -> None:
    civitai.faults.add(Fault("/start", status=307, headers={"Location": f"{civitai.storage}/x"}))
    with pytest.raises(BadAnswer):
        http.json(f"{civitai.api}/start", body=["hash"])
    assert len(civitai.seen) == 1


# Streams


def test_a_stream_is_read_as_it_was_sent(civitai: CivitaiService, http: Http) -> None:
    body = bytes(range(256)) * 20_000
    url = with_file(civitai, body)
    with http.stream(url) as answer:
        assert (answer.status, answer.length, answer.origin) == (200, len(body), civitai.storage)
        assert answer.headers["etag"].startswith('"')
        assert b"".join(answer.pieces()) == body
    assert civitai.seen[-1].headers["accept-encoding"] == "identity"


def test_a_range_reaches_the_storage(civitai: CivitaiService, http: Http) -> None:
    url = with_file(civitai)
    with http.stream(url, {"Range": "bytes=4-"}) as answer:
        assert (answer.status, b"".join(answer.pieces())) == (206, b"456789")
        assert answer.headers["content-range"] == "bytes 4-9/10"
    with pytest.raises(HttpRefusal) as caught:
        read(http, url, {"Range": "bytes=10-"})
    assert caught.value.status == 416


@pytest.mark.parametrize("fault", [{"cut_at": 5}, {"end_at": 5}, {"length": 50}], ids=str)
def test_a_stream_that_breaks_off_is_the_callers(
    civitai: CivitaiService, http: Http, fault: dict[str, Any]
) -> None:
    url = with_file(civitai)
    civitai.faults.add(Fault("/bucket", on="storage", **fault))
    with pytest.raises(Unreachable):
        read(http, url)
    assert len(civitai.asked("/bucket/11/adapter_11.safetensors", "storage")) == 1


def test_a_length_that_is_no_number_is_none(civitai: CivitaiService, http: Http) -> None:
    url = with_file(civitai)
    civitai.faults.add(Fault("/bucket", on="storage", chunked=True))
    with http.stream(url) as answer:
        assert answer.length is None
        assert b"".join(answer.pieces()) == b"0123456789"


@pytest.mark.parametrize(
    "fault",
    [
        {"delay_s": 30},
        {"stall_at": 0},
        {"stall_at": 5},
        {"pace": 0.1},
        {"status": 503, "times": -1},
    ],
    ids=str,
)
def test_a_stop_ends_the_waiting_at_once(
    civitai: CivitaiService, make_http: MakeHttp, fault: dict[str, Any]
) -> None:
    url = with_file(civitai)
    civitai.faults.add(Fault("/bucket", on="storage", **fault))
    http = make_http(limits=TimeLimits(first_pause_s=20, longest_pause_s=20, stall_s=20))
    pieces: list[bytes] = []
    with pytest.raises(Cancelled), http.stream(url, check=StopAfter()) as answer:
        pieces.extend(answer.pieces())
    assert len(pieces) <= 1, "before the server's next byte, 10 s later"
    assert len(civitai.asked("/bucket/11/adapter_11.safetensors", "storage")) == 1


def test_a_stop_ends_the_waiting_for_ones_turn(
    civitai: CivitaiService, make_http: MakeHttp
) -> None:
    http = make_http(interval_s=30)
    http.json(f"{civitai.api}{ENUMS}")
    with pytest.raises(Cancelled):
        http.json(f"{civitai.api}{ENUMS}", check=StopAfter())
    assert len(civitai.seen) == 1


def test_requests_keep_their_distance_whoever_asks(
    civitai: CivitaiService, make_http: MakeHttp
) -> None:
    http = make_http(interval_s=0.15)
    began = time.monotonic()
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: http.json(f"{civitai.api}{ENUMS}"), range(4)))
    assert max(one.at for one in civitai.seen) - began >= 0.45


def test_one_threads_stop_is_not_anothers(civitai: CivitaiService, http: Http) -> None:
    url = with_file(civitai, b"x" * 200_000)
    civitai.faults.add(Fault("/bucket", on="storage", times=2, pace=400_000))
    ended: list[type] = []

    def stopped() -> None:
        with pytest.raises(Cancelled):
            read(http, url, check=stopping_after(0.1))
        ended.append(Cancelled)

    thread = threading.Thread(target=stopped)
    thread.start()
    assert len(read(http, url)) == 200_000
    thread.join()
    assert ended == [Cancelled]

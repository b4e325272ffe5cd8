"""Who may do what over the WebUI's doors: flags as its parser makes them, requests as starlette and
gradio make them.
"""

from __future__ import annotations

import base64
import json
import socket
from argparse import Namespace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from stylus_ext.host.allowed_hosts import AllowedHosts, host_of, is_literal
from stylus_ext.host.guard import Guard, RequestKind, kind_of

OWN = "127.0.0.1:7860"
ASKS_MORE = ["download", "spend", "change"]


class Request:
    """As starlette's: a scope with raw headers; `app` is gradio's, which knows who is logged in."""

    def __init__(
        self, method: str = "POST", tokens: dict[str, str] | None = None, **headers: str
    ) -> None:
        said = {"host": OWN} | {name.replace("_", "-"): value for name, value in headers.items()}
        self.scope: dict[str, Any] = {
            "method": method,
            "app": SimpleNamespace(tokens=tokens or {}),
            "headers": [(name.encode(), value.encode()) for name, value in said.items() if value],
        }


class FromQueue:
    """As gradio 3's for an event of its queue: no request inside, headers as attributes of an
    object.
    """

    def __init__(self, username: str | None = None, **headers: str) -> None:
        self.request = None
        self.username = username
        self.headers = SimpleNamespace(
            **({"host": OWN} | {name.replace("_", "-"): value for name, value in headers.items()})
        )


class Wrapped:
    """As gradio 4's: a real request inside."""

    def __init__(self, inner: Request, username: str | None = None) -> None:
        self.request = inner
        self.username = username


def flags(**said: object) -> Namespace:
    return Namespace(
        **(
            {
                "listen": False,
                "share": False,
                "ngrok": None,
                "server_name": None,
                "api_auth": None,
                "gradio_auth": None,
            }
            | said
        )
    )


def password(pair: str) -> str:
    return "Basic " + base64.b64encode(pair.encode()).decode()


def sentence(guard: Guard, kind: str, request: object) -> str:
    refusal = guard.refusal(kind, request)
    return refusal.sentence if refusal else ""


@pytest.mark.parametrize("kind", list(RequestKind))
def test_this_machine_may_do_everything(kind: RequestKind) -> None:
    guard = Guard(flags())
    for host in (OWN, "localhost:7860", "[::1]:7860", "webui.localhost"):
        assert guard.refusal(kind, Request(host=host)) is None
        assert guard.allows(kind, Request(host=host)) is None
    assert guard.allows(kind, FromQueue()) is None
    assert guard.allows(kind) is None, "without a request nobody came in through a door"


def test_flags_that_a_host_does_not_have_are_off() -> None:
    assert Guard(object()).refusal("change", Request()) is None


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:7860",
        "127.0.0.1.evil.example",
        "",
        "[",
        "10.0.0.5",
        "localhost.evil.example",
    ],
)
def test_a_name_that_somebody_let_point_here_is_refused(host: str) -> None:
    for request in (Request(host=host), Wrapped(Request(host=host)), FromQueue(host=host)):
        assert "Unrecognised Host" in (Guard(flags()).allows("look", request) or "")
    assert Guard(flags()).refusal("plan", Request(host=host)).status == 403  # type: ignore[union-attr]


def test_an_open_webui_answers_to_numbers_and_to_the_names_of_its_machine() -> None:
    guard = Guard(flags(listen=True))
    for host in (
        "192.168.1.7:7860",
        "[fe80::1]:7860",
        socket.gethostname(),
        f"{socket.gethostname().split('.')[0]}.local:7860",
    ):
        assert guard.refusal("plan", Request(host=host)) is None, host
    assert "Unrecognised Host" in sentence(guard, "plan", Request(host="evil.example"))
    assert "Unrecognised Host" in sentence(guard, "plan", Request(host="abc.gradio.live"))
    assert Guard(flags(share=True)).refusal("plan", Request(host="abc.gradio.live")) is None
    assert Guard(flags(ngrok="x")).refusal("plan", Request(host="abc.ngrok-free.app")) is None


def test_names_that_the_user_stated_are_known() -> None:
    assert (
        Guard(flags(server_name="Pictures.home.example")).refusal(
            "plan", Request(host="pictures.home.example:7860")
        )
        is None
    )
    behind = Guard(flags(cors_allow_origins="https://sd.example,https://other.example:8443"))
    assert behind.refusal("plan", Request(host="sd.example", origin="https://sd.example")) is None
    assert behind.refusal("plan", Request(host="other.example:8443")) is None


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "http://127.0.0.1:9999",
        "http://localhost:7860",
        "file://",
        "http://[",
        "x",
    ],
)
def test_a_page_of_another_site_is_refused(origin: str) -> None:
    for request in (
        Request(origin=origin),
        Wrapped(Request(origin=origin)),
        FromQueue(origin=origin),
    ):
        assert "may not use this WebUI" in (Guard(flags()).allows("look", request) or "")
    assert "may not use this WebUI" in sentence(
        Guard(flags(api_auth="a:b")), "plan", Request(origin=origin, authorization=password("a:b"))
    )


def test_our_own_page_and_pages_that_the_user_allowed_may() -> None:
    assert Guard(flags()).refusal("plan", Request(origin=f"http://{OWN}")) is None
    assert (
        Guard(flags(listen=True)).refusal(
            "plan", Request(host="192.168.1.7", origin="https://192.168.1.7")
        )
        is None
    )
    assert (
        Guard(flags(cors_allow_origins="https://a.example,https://b.example")).refusal(
            "plan", Request(origin="https://b.example")
        )
        is None
    )
    regex = Guard(flags(cors_allow_origins_regex=r"https://.*\.example"))
    assert regex.refusal("plan", Request(origin="https://a.example")) is None
    assert regex.refusal("plan", Request(origin="https://a.example.evil")) is not None
    assert (
        Guard(flags(cors_allow_origins_regex="(")).refusal(
            "plan", Request(origin="https://a.example")
        )
        is not None
    )
    assert (
        Guard(flags(cors_allow_origins="*")).refusal("plan", Request(origin="https://a.example"))
        is None
    )


def test_browsers_that_send_no_origin_say_it_otherwise() -> None:
    assert "another site" in sentence(Guard(flags()), "plan", Request(sec_fetch_site="cross-site"))
    assert Guard(flags()).refusal("look", Request("GET", sec_fetch_site="cross-site")) is None, (
        "a link that was followed"
    )
    assert Guard(flags()).refusal("plan", Request(sec_fetch_site="same-origin")) is None


@pytest.mark.parametrize("kind", ASKS_MORE)
@pytest.mark.parametrize(
    "said",
    [
        {"listen": True},
        {"share": True},
        {"ngrok": "key"},
        {"server_name": "192.168.1.7"},
        {"webui_is_non_local": True},
    ],
)
def test_an_open_webui_without_a_password_keeps_from_what_costs(
    kind: str, said: dict[str, object]
) -> None:
    guard = Guard(flags(**said))
    assert "without a password" in sentence(guard, kind, Request())
    assert "without a password" in (guard.allows(kind, FromQueue()) or "")
    assert guard.refusal("plan", Request()) is None
    assert guard.refusal("look", Request()) is None
    assert (
        Guard(flags(enable_insecure_extension_access=True, **said)).refusal(kind, Request()) is None
    )
    assert (
        Guard(flags(api_auth="a:b", **said)).refusal(kind, Request(authorization=password("a:b")))
        is None
    )


def test_a_server_name_of_this_machine_opens_nothing() -> None:
    """The host's own flag is true for any --server-name."""
    for name in ("127.0.0.1", "localhost", "::1"):
        told = flags(server_name=name, webui_is_non_local=True)
        assert Guard(told).refusal("change", Request()) is None
        assert Guard(flags(server_name=name, listen=True)).refusal("change", Request()) is not None


def test_the_api_password_is_asked_for() -> None:
    guard = Guard(flags(api_auth="ann:secret,bob:with:colon"))
    for given in (
        "",
        password("ann:wrong"),
        password("ann"),
        "Basic !!",
        "Bearer x",
        password(""),
        password("ann:secret,bob:with:colon"),
    ):
        refusal = guard.refusal("look", Request(authorization=given))
        assert refusal is not None
        assert refusal.status == 401
        assert "secret" not in refusal.sentence
    assert guard.refusal("look", Request(authorization=password("ann:secret"))) is None
    assert guard.refusal("look", Request(authorization=password("bob:with:colon"))) is None


def test_gradios_login_counts_and_its_passwords_too(tmp_path: Path) -> None:
    file = tmp_path / "people.txt"
    file.write_text("cid:three,\n dora:four \n", "utf-8")
    guard = Guard(flags(gradio_auth="ann:secret", gradio_auth_path=str(file), listen=True))
    tokens = {"abc": "ann"}
    assert guard.refusal("look", Request(tokens=tokens)).status == 401  # type: ignore[union-attr]
    assert guard.refusal("look", Request(tokens=tokens, cookie="access-token=other")).status == 401  # type: ignore[union-attr]
    for name in ("access-token", "access-token-unsecure", "access-token-x1y2"):
        assert guard.refusal("change", Request(tokens=tokens, cookie=f"a=b; {name}=abc")) is None
    assert (
        guard.refusal(
            "change",
            Request(tokens=tokens, cookie='settings={"a": [1]}; x; ="; access-token="abc"'),
        )
        is None
    )
    for pair in ("ann:secret", "cid:three", "dora:four"):
        assert guard.refusal("change", Request(authorization=password(pair))) is None
    missing = Guard(flags(gradio_auth_path=str(tmp_path / "missing")))
    assert missing.refusal("look", Request()).status == 401  # type: ignore[union-attr]


def test_an_events_user_is_whom_gradio_names() -> None:
    guard = Guard(flags(gradio_auth="ann:secret", listen=True))
    assert guard.allows("change", FromQueue("ann")) is None
    assert guard.allows("change", Wrapped(Request(), "ann")) is None
    assert "without a password" in (guard.allows("change", FromQueue()) or "")
    assert "without a password" in (
        Guard(flags(listen=True)).allows("change", FromQueue("ann")) or ""
    ), "nobody asked who it is"


def test_the_api_password_is_none_of_the_pages() -> None:
    """The page is open then: what is harmless there stays so, and on an open WebUI what costs is
    refused.
    """
    assert Guard(flags(api_auth="a:b")).allows("change", FromQueue()) is None
    assert "without a password" in (
        Guard(flags(api_auth="a:b", listen=True)).allows("change", FromQueue()) or ""
    )


def test_who_has_shown_a_password_may_come_by_any_name_but_not_from_any_page() -> None:
    guard = Guard(flags(api_auth="a:b"))
    assert guard.refusal("plan", Request(host="sd.example", authorization=password("a:b"))) is None
    assert (
        guard.refusal(
            "plan",
            Request(
                host="sd.example", authorization=password("a:b"), origin="https://evil.example"
            ),
        )
        is not None
    )


def test_what_a_plan_asks_for_besides() -> None:
    assert kind_of({"prompt": "x"}) is RequestKind.PLAN
    assert (
        kind_of({"prompt": "x", "settings": {"selection": {"composer": "rules"}}})
        is RequestKind.PLAN
    )
    assert (
        kind_of({"prompt": "x", "settings": {"selection": {"composer": "chat"}}})
        is RequestKind.SPEND
    )
    assert kind_of({"prompt": "x", "downloads": True}) is RequestKind.DOWNLOAD
    assert (
        kind_of({"prompt": "x", "settings": {"selection": {"policy": "hybrid"}}})
        is RequestKind.PLAN
    )
    assert (
        kind_of({"prompt": "x", "settings": {"selection": {"policy": "rerank"}}})
        is RequestKind.SPEND
    )
    assert (
        kind_of({"prompt": "x", "settings": {"selection": {"policy": "rerank"}}}, rerank_free=True)
        is RequestKind.PLAN
    )
    assert (
        kind_of(
            {"settings": {"selection": {"policy": "rerank", "composer": "chat"}}}, rerank_free=True
        )
        is RequestKind.SPEND
    )
    odd: tuple[object, ...] = ([], {"selection": "x"}, None)
    assert {kind_of({"settings": one}) for one in odd} == {RequestKind.PLAN}


def test_hosts_are_read_as_they_are_written() -> None:
    assert [
        host_of(one) for one in ("A.Example:1", "[::1]:7", "::1]", "a.example.", " x ", "http://x")
    ] == ["a.example", "::1", "", "a.example", "x", "http"]
    assert is_literal("10.0.0.1")
    assert not is_literal("10.0.0.1.example")
    assert not AllowedHosts(flags(), is_open=False).same("http://127.0.0.1:99999", OWN)


def test_the_real_request_of_starlette_is_read() -> None:
    requests = pytest.importorskip(
        "starlette.requests", reason="starlette is the WebUI's, not the engine's"
    )
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "query_string": b"",
        "headers": [(b"host", b"evil.example")],
    }
    assert "Unrecognised Host" in sentence(Guard(flags()), "plan", requests.Request(scope))


def test_the_real_request_of_gradio_is_read() -> None:
    routes = pytest.importorskip("gradio.routes", reason="gradio is the WebUI's, not the engine's")
    requests = pytest.importorskip("starlette.requests")
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "query_string": b"",
        "headers": [(b"host", b"evil.example")],
    }
    wrapped = routes.Request(request=requests.Request(scope), username=None)
    assert "Unrecognised Host" in (Guard(flags()).allows("change", wrapped) or "")
    queued = json.loads(json.dumps({"headers": {"host": OWN, "origin": "https://evil.example"}}))
    assert "may not use" in (
        Guard(flags()).allows("change", routes.Request(username="ann", **queued)) or ""
    )

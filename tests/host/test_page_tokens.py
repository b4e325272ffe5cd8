"""The page's tokens: random, bounded, expiring; and what the guard makes of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.host.allowed_hosts import PageTokens
from stylus_ext.host.guard import PAGE_HEADER, UNAUTHORIZED, Guard, RequestKind
from tests.host.test_guard import Request, flags, password

AUTH = {"api_auth": "anna:secret"}


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_token_is_known_and_no_other_text_is() -> None:
    pages = PageTokens()
    tokens = {pages.issue() for _ in range(50)}
    assert len(tokens) == 50
    assert all(len(token) >= 40 and pages.knows(token) for token in tokens)


@given(st.text())
def test_no_text_is_taken_for_a_token(text: str) -> None:
    pages = PageTokens()
    pages.issue()
    assert not pages.knows(text)


def test_what_nobody_used_for_long_expires_and_what_is_used_does_not() -> None:
    clock = Clock()
    pages = PageTokens(clock, lasts_s=100)
    used, unused = pages.issue(), pages.issue()
    clock.now += 60
    assert pages.knows(used)
    clock.now += 60
    assert pages.knows(used)
    assert not pages.knows(unused)
    clock.now += 101
    assert not pages.knows(used)


def test_of_too_many_the_longest_unused_goes() -> None:
    pages = PageTokens(most=3)
    first, second, third = (pages.issue() for _ in range(3))
    assert pages.knows(first)
    pages.issue()
    assert pages.knows(first)
    assert pages.knows(third)
    assert not pages.knows(second)


def test_a_page_needs_no_password_of_the_api() -> None:
    """--api-auth is for programs; whoever sees the page is let in by gradio."""
    pages = PageTokens()
    guard = Guard(flags(**AUTH), pages)
    for kind in RequestKind:
        assert guard.refusal(kind, Request("POST", None, **{PAGE_HEADER: pages.issue()})) is None


def test_without_a_token_or_with_a_wrong_or_expired_one_the_password_is_asked_for() -> None:
    clock = Clock()
    pages = PageTokens(clock, lasts_s=10)
    guard = Guard(flags(**AUTH), pages)
    old = pages.issue()
    clock.now += 11
    for headers in ({}, {PAGE_HEADER: "x" * 43}, {PAGE_HEADER: old}):
        refusal = guard.refusal("look", Request("POST", None, **headers))
        assert refusal is not None
        assert refusal.status == UNAUTHORIZED
    assert (
        Guard(flags(**AUTH)).refusal("look", Request("POST", None, **{PAGE_HEADER: pages.issue()}))
        is not None
    )
    assert guard.refusal("look", Request(authorization=password("anna:secret"))) is None


def test_a_token_that_another_sites_page_has_is_of_no_use_to_it() -> None:
    pages = PageTokens()
    for said in ({}, AUTH):
        guard = Guard(flags(**said), pages)
        stolen = {PAGE_HEADER: pages.issue()}
        for kind in RequestKind:
            assert (
                guard.refusal(kind, Request("POST", None, origin="http://evil.example", **stolen))
                is not None
            )
            assert (
                guard.refusal(kind, Request("POST", None, host="evil.example", **stolen))
                is not None
            )
            assert (
                guard.refusal(kind, Request("POST", None, sec_fetch_site="cross-site", **stolen))
                is not None
            )
            assert (
                guard.refusal(kind, Request("POST", None, origin="http://127.0.0.1:7860", **stolen))
                is None
            )


def test_where_gradio_has_a_login_a_token_alone_is_not_enough() -> None:
    pages = PageTokens()
    guard = Guard(flags(gradio_auth="anna:secret"), pages)
    headers = {PAGE_HEADER: pages.issue()}
    assert guard.refusal("look", Request("POST", None, **headers)) is not None
    assert (
        guard.refusal(
            "change", Request("POST", {"abc": "anna"}, cookie="access-token=abc", **headers)
        )
        is None
    )


def test_an_open_door_refuses_a_page_what_it_refuses_everybody() -> None:
    pages = PageTokens()
    for said in ({}, AUTH):
        guard = Guard(flags(listen=True, **said), pages)
        for kind in ("download", "spend", "change"):
            refusal = guard.refusal(kind, Request("POST", None, **{PAGE_HEADER: pages.issue()}))
            assert refusal is not None
            assert "without a password" in refusal.sentence
        assert guard.refusal("look", Request("POST", None, **{PAGE_HEADER: pages.issue()})) is None
        assert guard.refusal("plan", Request("POST", None, **{PAGE_HEADER: pages.issue()})) is None

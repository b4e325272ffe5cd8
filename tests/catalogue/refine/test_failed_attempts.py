"""Failed attempts are remembered for a while, up to a limit."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from stylus_ext.catalogue.refine.job import FailedAttempts

DAY = 86_400.0


@dataclass
class Notebook:
    """A `Memory` in a dictionary."""

    held: dict[str, str] = field(default_factory=dict)

    def remembered(self, name: str) -> str:
        return self.held.get(name, "")

    def remember(self, name: str, text: str) -> None:
        self.held[name] = text


@dataclass
class Clock:
    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def test_three_tries_and_then_none_for_a_month() -> None:
    notebook, clock = Notebook(), Clock()

    def attempts() -> FailedAttempts:
        return FailedAttempts(notebook, "failed", clock=clock)

    for _ in range(3):
        assert attempts().may_try("a", "one")
        attempts().failed("a", "one")
    assert not attempts().may_try("a", "one")
    assert attempts().may_try("b", "one")
    clock.now += 29 * DAY
    assert not attempts().may_try("a", "one")
    clock.now += 2 * DAY
    assert attempts().may_try("a", "one")


def test_another_content_begins_anew() -> None:
    attempts = FailedAttempts(Notebook(), "failed", max_tries=1)
    attempts.failed("a", "one")
    assert not attempts.may_try("a", "one")
    assert attempts.may_try("a", "two")
    attempts.failed("a", "two")
    assert not attempts.may_try("a", "two")


def test_a_success_forgets_the_failures() -> None:
    notebook = Notebook()
    attempts = FailedAttempts(notebook, "failed", max_tries=1)
    attempts.failed("a", "one")
    attempts.succeeded("a")
    assert attempts.may_try("a", "one")
    assert FailedAttempts(notebook, "failed", max_tries=1).may_try("a", "one")


def test_each_name_has_its_own() -> None:
    notebook = Notebook()
    FailedAttempts(notebook, "here", max_tries=1).failed("a", "one")
    assert FailedAttempts(notebook, "there", max_tries=1).may_try("a", "one")


@pytest.mark.parametrize(
    "text",
    [
        "junk",
        "[]",
        "3",
        '{"a": 1}',
        '{"a": ["one", "x", "y"]}',
        '{"a": ["one", 9]}',
        '{"a": ["one", 9, 1e300]}',
    ],
)
def test_an_unreadable_memory_is_ignored(text: str) -> None:
    notebook = Notebook({"failed": text})
    attempts = FailedAttempts(notebook, "failed", max_tries=1)
    assert attempts.may_try("a", "one")
    attempts.failed("a", "one")
    assert not FailedAttempts(notebook, "failed", max_tries=1).may_try("a", "one")

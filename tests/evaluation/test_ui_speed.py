from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from stylus_ext.environment import run_in_env
from stylus_ext.evaluation import ui
from tests.fakes import Watch


def test_keys_are_typed_one_after_another() -> None:
    typed = list(ui.keystrokes(300))
    assert len(typed) == 300
    assert typed == list(islice(ui.keystrokes(1000), 300))
    assert all(
        len(after) in (1, len(before) + 1) for before, after in zip(typed, typed[1:], strict=False)
    )
    assert all(
        after.startswith(before)
        for before, after in zip(typed, typed[1:], strict=False)
        if len(after) > 1
    )
    assert len({text for text in typed if len(text) == 1}) > 5


def test_the_figures_stand_beside_their_budgets() -> None:
    shown = list(ui.lines({"entries": 10, "search_p95_ms": 12.5}))
    assert "12.5" in shown[1]
    assert "<= 50" in shown[1]
    assert "<=" not in shown[0]


@pytest.mark.long
def test_a_small_catalogue_is_asked_over_the_real_engine(tmp_path: Path) -> None:
    found = ui.measure(tmp_path, 300, 60, run_in_env.main_command, Watch())
    assert found["entries"] == 300
    assert found["keystrokes"] == 60
    for name in ("search", "page", "sort", "details", "similar", "open", "preview"):
        assert 0 < found[f"{name}_p50_ms"] <= found[f"{name}_p95_ms"]

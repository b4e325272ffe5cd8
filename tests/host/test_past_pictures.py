"""The dry run from the page to a job of the engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stylus_ext.core.errors import InvalidInput
from stylus_ext.host.engine.setup_state import EngineReport, EngineState
from tests.host.double.fixtures import Stage


def rehearse(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    from stylus_ext.host.web.page import actions
    from stylus_ext.host.web.responses import ActionRequest

    sent: list[tuple[str, Any]] = []

    def engine(self: Any, method: str, path: str, payload: Any = None) -> dict[str, Any]:
        sent.append((f"{method} {path}", payload))
        return {"id": "1"}

    monkeypatch.setattr(ActionRequest, "engine", engine)
    assert actions()["rehearse"].run(ActionRequest({}, stage.engine)) == {"id": "1"}
    return sent


def test_the_hosts_folders_listing_and_settings_go_along(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "outputs"
    folder.mkdir()
    stage.host.opts.data["outdir_txt2img_samples"] = str(folder)
    ((path, payload),) = rehearse(stage, monkeypatch)
    assert path == "POST /v1/jobs/rehearse"
    assert (payload["folders"], payload["count"]) == ([str(folder)], 50)
    assert "corgi_dog" in payload["stems"]
    assert payload["settings"]["selection"]["family"] == "sd1"


def test_without_pictures_or_with_a_shared_engine_it_says_so(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InvalidInput, match="folder"):
        rehearse(stage, monkeypatch)
    monkeypatch.setattr(
        stage.engine, "report", lambda: EngineReport(EngineState.REMOTE, "It is elsewhere.")
    )
    with pytest.raises(InvalidInput, match="shared"):
        rehearse(stage, monkeypatch)

"""What the page may ask for: which kind of leave each action wants, which pictures it gets, which
folders it names.
"""

from __future__ import annotations

import base64
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from stylus_ext.core.errors import InvalidInput
from stylus_ext.host.guard import RequestKind
from tests.browser.own_tab import png
from tests.host.double.fixtures import Stage


def wants(action: str, /, **payload: Any) -> RequestKind:
    from stylus_ext.host.web.page import actions

    return actions()[action].wants(payload)


def run(action: str, process: Any = None, /, **payload: Any) -> Any:
    from stylus_ext.host.web.page import actions
    from stylus_ext.host.web.responses import ActionRequest

    return actions()[action].run(ActionRequest(payload, process))


class Recorder:
    """A process whose engine keeps what it is asked."""

    def __init__(self, remote: bool = False) -> None:
        self.remote, self.asked = remote, list[tuple[str, str, Any]]()
        self.answer: dict[str, Any] = {"id": "00ff"}

    def wait_ready(self, *_: Any, **__: Any) -> bool:
        return True

    def link(self) -> Any:
        return SimpleNamespace(call=self._call)

    def _call(
        self, method: str, path: str, payload: Any = None, timeout_s: float = 0.0
    ) -> dict[str, Any]:
        self.asked.append((method, path, payload))
        return self.answer


@pytest.mark.parametrize(
    ("name", "payload", "kind"),
    [
        ("browse", {}, RequestKind.LOOK),
        ("show", {}, RequestKind.LOOK),
        ("picture", {}, RequestKind.LOOK),
        ("edit", {}, RequestKind.CHANGE),
        ("jobs", {}, RequestKind.LOOK),
        ("cancel", {"id": "0"}, RequestKind.CHANGE),
        ("start", {"name": "index"}, RequestKind.CHANGE),
        ("start", {"name": "sync"}, RequestKind.CHANGE),
        ("start", {"name": "identify"}, RequestKind.CHANGE),
        ("start", {"name": "fetch"}, RequestKind.DOWNLOAD),
        ("start", {"name": "refine"}, RequestKind.SPEND),
        ("start", {"name": "fetch", "payload": {"dry_run": True}}, RequestKind.LOOK),
        ("start", {"name": "fetch", "payload": {"dry_run": 1}}, RequestKind.DOWNLOAD),
        ("start", {"name": "discard"}, RequestKind.CHANGE),
        ("keys", {}, RequestKind.LOOK),
        ("keys", {"enter": "x"}, RequestKind.CHANGE),
        ("keys", {"forget": True}, RequestKind.CHANGE),
        ("keys", {"check": True, "service": "civitai"}, RequestKind.DOWNLOAD),
        ("keys", {"check": True, "service": "chat"}, RequestKind.SPEND),
        ("recipes", {}, RequestKind.LOOK),
        ("recipes", {"keep": []}, RequestKind.CHANGE),
        ("recipes", {"forget": ""}, RequestKind.CHANGE),
        ("choose", {}, RequestKind.PLAN),
        ("storage", {}, RequestKind.LOOK),
    ],
)
def test_every_action_wants_the_right_leave(
    stage: Stage, name: str, payload: dict[str, Any], kind: RequestKind
) -> None:
    assert wants(name, **payload) is kind


def test_folders_are_the_hosts_and_never_the_pages(stage: Stage, tmp_path: Path) -> None:
    process, output = Recorder(), tmp_path / "out"
    output.mkdir()
    stage.host.opts.data |= {
        "outdir_txt2img_samples": str(output),
        "outdir_img2img_samples": str(output),
        "outdir_save": str(tmp_path / "none"),
        "outdir_samples": "",
    }
    loras = [str(Path(stage.host.cmd_opts.lora_dir).absolute())]
    for payload in ({"lora_dirs": ["/etc"]}, {"lora_dirs": ["/etc"], "learn": ["/etc"]}):
        run("start", process, name="index", payload=payload)
    assert [said for _, _, said in process.asked] == [
        {"lora_dirs": loras, "learn": []},
        {"lora_dirs": loras, "learn": [str(output)]},
    ]
    run("start", process, name="identify", payload={"lora_dirs": ["/etc"], "again": True})
    run("start", process, name="sync", payload={"lora_dirs": ["/etc"], "query": "fox"})
    assert [said for _, _, said in process.asked[2:]] == [
        {"again": True, "lora_dirs": loras},
        {"query": "fox"},
    ]


def test_what_a_shared_engine_cannot_see_is_not_asked_of_it(stage: Stage) -> None:
    process = Recorder(remote=True)
    for name in ("index", "identify", "fetch"):
        with pytest.raises(InvalidInput, match="shared"):
            run("start", process, name=name)
    assert process.asked == []
    run("start", process, name="sync")
    assert process.asked == [("POST", "/v1/jobs/sync", {})]


@pytest.mark.parametrize("job", ["", "..", "../status", "AB", "0" * 65, None, 7])
def test_a_jobs_number_is_checked_before_it_becomes_part_of_an_address(
    stage: Stage, job: Any
) -> None:
    process = Recorder()
    for name in ("job", "cancel"):
        with pytest.raises(InvalidInput):
            run(name, process, id=job)
    assert process.asked == []


def test_a_picture_that_lies_nowhere_is_asked_of_the_engine_by_its_key(stage: Stage) -> None:
    from stylus_ext.host.web.responses import File

    process = Recorder()
    process.answer = {"type": "image/jpeg", "data": base64.b64encode(b"a picture").decode()}
    assert run("picture", process, stem="", key="civitai:1") == File(b"a picture", "image/jpeg")
    assert process.asked == [("POST", "/v1/picture", {"key": "civitai:1"})]
    for payload in ({"stem": "nowhere"}, {"key": ""}, {"key": 7}, {}):
        with pytest.raises(InvalidInput, match="picture"):
            run("picture", process, **payload)
    assert len(process.asked) == 1


def test_pictures_are_those_beside_a_listed_file_and_pictures_indeed(
    stage: Stage, tmp_path: Path
) -> None:
    from stylus_ext.host.web.responses import File

    folder = tmp_path / "loras"
    folder.mkdir()
    stage.host.loras.available_networks.clear()
    stage.host.loras.available_network_aliases.clear()
    contents = {
        "good": ("good.png", png(2, 2), "image/png"),
        "jpeg": ("jpeg.preview.jpg", b"\xff\xd8\xff\xe0", "image/jpeg"),
        "webp": ("webp.webp", b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        "page": ("page.png", b"<html><script>1</script>", ""),
        "drawing": ("drawing.png", b"<svg xmlns='http://www.w3.org/2000/svg'/>", ""),
        "none": ("other.png", png(2, 2), ""),
    }
    for stem, (name, data, _) in contents.items():
        (folder / name).write_bytes(data)
        path: Any = SimpleNamespace(filename=str(folder / f"{stem}.safetensors"), name=stem)
        stage.host.loras.available_networks[stem] = stage.host.loras.available_network_aliases[
            stem
        ] = path
    for stem, (_, data, kind) in contents.items():
        if kind:
            assert run("picture", stem=stem) == File(data, kind)
        else:
            with pytest.raises(InvalidInput):
                run("picture", stem=stem)
    wrong: list[Any] = ["other", "../loras/good", str(folder / "good"), "", None, ["good"]]
    for one in wrong:
        with pytest.raises(InvalidInput):
            run("picture", stem=one)


@pytest.mark.parametrize(
    ("policy", "asked"), [("rerank", "hybrid"), ("lexical", "lexical"), ("hybrid", "hybrid")]
)
def test_nothing_that_costs_anything_is_asked_for_a_recipe(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, policy: str, asked: str
) -> None:
    """Whatever the settings page says: who may plan may not spend."""
    from stylus_ext.host.web import recipes

    seen: list[dict[str, Any]] = []
    plan: dict[str, Any] = {
        "family": "sd1",
        "picks": [],
        "masks": [[]],
        "notes": [],
        "prompts": ["a corgi"],
        "negative_prompts": [""],
    }

    def planned(payload: dict[str, Any], *_: Any) -> dict[str, Any]:
        seen.append(payload["settings"]["selection"])
        return {"plan": plan}

    monkeypatch.setattr(recipes, "EngineClient", lambda _: SimpleNamespace(plan=planned))
    stage.host.opts.data |= {"stylus_selection_policy": policy, "stylus_selection_composer": "chat"}
    notes = [{"code": code, "text": "..."} for code in ("nothing_fits", "unlisted")]
    plan["notes"] = notes
    chosen = run("choose", None, prompt="a corgi, oil painting")
    assert [note["code"] for note in chosen["notes"]] == ["unlisted"]
    plan["notes"] = []
    run("apply_recipe", None, prompt="a corgi", adapters=[{"key": "path:corgi_dog", "weight": 0.5}])
    assert [(one["composer"], one["policy"]) for one in seen] == [
        ("rules", asked),
        ("rules", "hybrid"),
    ]

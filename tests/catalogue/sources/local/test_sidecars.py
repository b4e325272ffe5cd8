from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stylus_ext.catalogue.sources.local.facts import StatedFacts, merge_facts
from stylus_ext.catalogue.sources.local.sidecars import PREVIEWS, SIDECARS, Subject, read_sidecars

SHA = "ab" * 32
SUBJECT = Subject("x", 1000)


def read(folder: Path, **files: object) -> StatedFacts:
    """`__` in a name stands for a dot."""
    suffixes = []
    for name, content in files.items():
        suffix = "." + name.replace("__", ".")
        (folder / f"x{suffix}").write_text(
            content if isinstance(content, str) else json.dumps(content), encoding="utf-8"
        )
        suffixes.append(suffix)
    stated, notes = read_sidecars(folder, suffixes, SUBJECT)
    assert notes == []
    return merge_facts(stated)


def test_the_hosts_own_sidecar(tmp_path: Path) -> None:
    content = {
        "description": "wet streets",
        "sd version": "SD1",
        "activation text": "rainalley, neon || rainalley night",
        "preferred weight": 0.75,
        "negative text": "blurry",
        "notes": "good at night",
        "modelId": "910001",
        "modelVersionId": 920002,
        "sha256": SHA.upper(),
        "modelPageURL": "https://example.invalid",
    }
    assert read(tmp_path, json=content) == StatedFacts(
        base_model="SD1",
        triggers=("rainalley, neon", "rainalley night"),
        text="wet streets\ngood at night",
        weight=0.75,
        negative_text="blurry",
        model_id=910001,
        version_id=920002,
        sha256=SHA,
    )


@pytest.mark.parametrize("unset", [0, 0.0, "", None, "0", [], -1])
def test_a_preferred_weight_of_0_is_unset(tmp_path: Path, unset: object) -> None:
    assert read(tmp_path, json={"preferred weight": unset}).weight is None


def test_not_found_and_empty_sidecars_state_nothing(tmp_path: Path) -> None:
    assert (
        read(tmp_path, civitai__info={}, json="", metadata__json={"civitai": {}, "tags": []})
        == StatedFacts()
    )


def lora_manager(**changes: Any) -> dict[str, Any]:
    return {
        "file_name": "x",
        "model_name": "Rain",
        "base_model": "Illustrious",
        "sha256": SHA,
        "tags": ["background"],
        "modelDescription": "<p>Wet.</p>",
        "notes": "",
        "usage_tips": '{"strength": 0.65, "clip_skip": 2}',
        "civitai": {
            "id": 920002,
            "modelId": 910001,
            "trainedWords": ["rainalley"],
            "model": {"name": "Theirs"},
        },
        **changes,
    }


def test_lora_manager(tmp_path: Path) -> None:
    assert read(tmp_path, metadata__json=lora_manager()) == StatedFacts(
        name="Rain",
        base_model="Illustrious",
        tags=("background",),
        triggers=("rainalley",),
        text="<p>Wet.</p>",
        weight=0.65,
        model_id=910001,
        version_id=920002,
        sha256=SHA,
    )
    assert read(tmp_path, metadata__json=lora_manager(model_name="x")).name == "Theirs"


@pytest.mark.parametrize(
    ("tips", "weight"),
    [
        ('{"strength_min": 0.4, "strength_max": 0.8}', 0.6),
        ('{"strength": 0}', None),
        ("{}", None),
        ("", None),
        ("{broken", None),
        ("[" * 10_000, None),
        (None, None),
        ({"strength": 0.5}, 0.5),
    ],
)
def test_usage_tips(tmp_path: Path, tips: object, weight: float | None) -> None:
    found = read(tmp_path, metadata__json=lora_manager(usage_tips=tips)).weight
    assert found == (pytest.approx(weight) if weight else None)


def test_rgthree(tmp_path: Path) -> None:
    content = {
        "name": "Rain",
        "sha256": SHA,
        "baseModel": "Pony",
        "trainedWords": [
            {"word": "rainalley", "civitai": True},
            {"word": "neon", "count": 4},
            "loose",
        ],
        "images": [{"url": "u", "positive": "an alley <lora:x:0.9>"}],
        "userNote": "mine",
        "raw": {"civitai": {"id": 5, "modelId": 6}},
    }
    (tmp_path / "x.safetensors.rgthree-info.json").write_text(json.dumps(content))
    stated, notes = read_sidecars(tmp_path, [".safetensors.rgthree-info.json"], SUBJECT)
    assert notes == []
    facts = stated[0]
    assert (facts.name, facts.base_model, facts.text, facts.sha256) == ("Rain", "Pony", "mine", SHA)
    assert facts.triggers == ("rainalley", "neon", "loose")
    assert (facts.version_id, facts.model_id) == (5, 6)
    assert [(one.prompt, one.weight) for one in facts.examples] == [("an alley", 0.9)]


def test_texts(tmp_path: Path) -> None:
    assert read(tmp_path, txt="a note\r\nin two lines").text == "a note\nin two lines"
    assert read(tmp_path, txt="a note", description__txt="what it is").text == "what it is"
    (tmp_path / "x.txt").write_bytes(b"caf\xe9")
    assert read_sidecars(tmp_path, [".txt"], SUBJECT)[0][0].text == "caf\N{REPLACEMENT CHARACTER}"


def test_the_order_of_precedence(tmp_path: Path) -> None:
    facts = read(
        tmp_path,
        txt="text",
        api_info__json={
            "id": 3,
            "modelId": 3,
            "description": "api",
            "baseModel": "SD 2.1",
            "trainedWords": ["api"],
        },
        metadata__json={
            "base_model": "SDXL 1.0",
            "modelDescription": "manager",
            "usage_tips": '{"strength": 0.5}',
        },
        civitai__info={
            "id": 1,
            "modelId": 1,
            "baseModel": "SD 1.5",
            "trainedWords": ["info"],
            "description": "info",
        },
        json={"activation text": "mine", "sd version": "Unknown"},
    )
    assert (facts.triggers, facts.base_model, facts.text) == (("mine",), "SD 1.5", "info")
    assert (facts.weight, facts.version_id) == (0.5, 1)


@pytest.mark.parametrize(
    ("suffix", "content"),
    [
        (".json", b"{broken"),
        (".json", b"\xff\xff\xff"),
        (".civitai.info", b"[" * 100_000),
        (".metadata.json", b" " * (8 * 1024 * 1024 + 1)),
        (".api_info.json", b"<html>"),
    ],
)
def test_a_broken_sidecar_is_left_out_with_a_note_and_the_others_are_read(
    tmp_path: Path, suffix: str, content: bytes
) -> None:
    (tmp_path / f"x{suffix}").write_bytes(content)
    (tmp_path / "x.txt").write_text("still here")
    stated, notes = read_sidecars(tmp_path, [suffix, ".txt"], SUBJECT)
    assert [facts.text for facts in stated] == ["still here"]
    assert [note.code for note in notes] == ["sidecar_skipped"]
    assert f"x{suffix}" in notes[0].text
    assert f"x{suffix}" in notes[0].text


def test_a_sidecar_that_vanished_is_noted(tmp_path: Path) -> None:
    stated, notes = read_sidecars(tmp_path, [".json"], SUBJECT)
    assert stated == []
    assert "No such file" in notes[0].text


def test_previews_come_in_the_hosts_order() -> None:
    assert PREVIEWS[:2] == (".png", ".jpg")
    assert PREVIEWS.index(".gif") < PREVIEWS.index(".preview.png")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(SIDECARS),
    st.binary(max_size=80)
    | st.dictionaries(
        st.sampled_from(
            [
                "activation text",
                "preferred weight",
                "sd version",
                "civitai",
                "usage_tips",
                "trainedWords",
                "raw",
            ]
        ),
        st.none()
        | st.text(max_size=9)
        | st.floats()
        | st.integers()
        | st.lists(st.text(max_size=5))
        | st.just({"id": "1"}),
    ).map(lambda content: json.dumps(content).encode()),
)
def test_any_sidecar_is_read_or_noted(tmp_path: Path, suffix: str, content: bytes) -> None:
    (tmp_path / f"x{suffix}").write_bytes(content)
    stated, notes = read_sidecars(tmp_path, [suffix], SUBJECT)
    assert len(stated) + len(notes) == 1

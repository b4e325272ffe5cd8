from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.catalogue.sources.local.facts import StatedFacts
from stylus_ext.catalogue.sources.local.sidecars import Subject, civitai_facts
from stylus_ext.core.card import Example

SHA = "9f8e7d6c5b" + "0" * 54
SHORT = "0a1b2c3d4e5f"
SUBJECT = Subject("rain_alley", 36_987 * 1024, "rainAlley_v1")


def version(**changes: Any) -> dict[str, Any]:
    """A version as `/model-versions/{id}` gives it; invented."""
    return {
        "id": 920002,
        "modelId": 910001,
        "name": "v1.1",
        "baseModel": "SD 1.5",
        "description": "<p>Less noise.</p>",
        "trainedWords": [
            "rainalley, neon reflections",
            "<lora:rain_alley:0.8> rainalley night",
            "",
        ],
        "model": {"name": "Rainy Neon Alley", "type": "LORA", "nsfw": False, "poi": False},
        "stats": {"downloadCount": 1200, "thumbsUpCount": 30, "thumbsDownCount": 10},
        "creator": {"username": "example_maker"},
        "files": [
            {
                "name": "rain_alley.safetensors",
                "type": "Model",
                "sizeKB": 36987.4,
                "hashes": {"SHA256": SHA.upper(), "AutoV3": SHORT.upper()},
            },
            {
                "name": "pictures.zip",
                "type": "Training Data",
                "sizeKB": 4.0,
                "hashes": {"SHA256": "1" * 64},
            },
        ],
        "images": [
            {
                "url": "https://example.invalid/1.jpeg",
                "meta": {"prompt": "neon alley, rain <lora:rain_alley:0.7>"},
            },
            {"url": "https://example.invalid/2.jpeg", "meta": None},
        ],
        **changes,
    }


def test_a_version() -> None:
    facts = civitai_facts(version(), SUBJECT)
    assert facts == StatedFacts(
        name="Rainy Neon Alley",
        version="v1.1",
        model_id=910001,
        version_id=920002,
        base_model="SD 1.5",
        triggers=("rainalley, neon reflections", "rainalley night"),
        text="<p>Less noise.</p>",
        examples=(Example("neon alley, rain", 0.7),),
        images=2,
        downloads=1200,
        rating=0.75,
        creator="example_maker",
        sha256=SHA,
        auto_v3=SHORT,
    )


def test_of_several_versions_the_one_with_the_file_counts() -> None:
    other = version(
        id=1,
        name="v1.0",
        baseModel="SDXL 1.0",
        files=[{"name": "rain_alley_xl.safetensors", "type": "Model"}],
    )
    model = {
        "id": 910001,
        "name": "Rainy Neon Alley",
        "description": "<p>Wet streets.</p>",
        "nsfw": True,
        "tags": ["background", {"name": "cyberpunk"}],
        "modelVersions": [other, version(model=None, modelId=None)],
    }
    for content in (model, {"items": [model], "metadata": {}}):
        facts = civitai_facts(content, SUBJECT)
        assert (facts.model_id, facts.version_id, facts.base_model) == (910001, 920002, "SD 1.5")
        assert facts.tags == ("background", "cyberpunk")
        assert facts.text == "<p>Wet streets.</p>\n<p>Less noise.</p>"
        assert facts.nsfw
    stranger = civitai_facts(model, Subject("renamed", 5))
    assert (stranger.model_id, stranger.version_id, stranger.base_model) == (910001, None, "")
    assert stranger.name == "Rainy Neon Alley"


@pytest.mark.parametrize("nothing", [{}, None, [], "x", {"modelVersions": {}}, {"items": [None]}])
def test_not_found_states_nothing(nothing: object) -> None:
    assert civitai_facts(nothing, SUBJECT) == StatedFacts()


@pytest.mark.parametrize(
    "files",
    [
        [],
        None,
        [{"name": "rain_alley.safetensors", "sizeKB": 100.0, "hashes": {"SHA256": SHA}}],
        [{"name": "rain_alley.safetensors", "hashes": {}}],
        [
            {"name": "a.safetensors", "hashes": {"SHA256": SHA}},
            {"name": "b.safetensors", "hashes": {"SHA256": SHA}},
        ],
        [{"name": "rain_alley.safetensors", "type": "Training Data", "hashes": {"SHA256": SHA}}],
    ],
)
def test_a_hash_that_may_be_another_files_is_not_taken(files: object) -> None:
    facts = civitai_facts(version(files=files), SUBJECT)
    assert (facts.sha256, facts.auto_v3) == ("", "")


def test_the_only_model_is_ours_even_if_the_user_renamed_it() -> None:
    assert civitai_facts(version(), Subject("renamed", SUBJECT.size)).sha256 == SHA


@pytest.mark.parametrize(
    ("meta", "example"),
    [
        (
            {"prompt": "a", "civitaiResources": [{"modelVersionId": 920002, "weight": 0.6}]},
            Example("a", 0.6),
        ),
        (
            {"prompt": "a", "resources": [{"type": "lora", "name": "Rain_Alley", "weight": 0.5}]},
            Example("a", 0.5),
        ),
        (
            {
                "prompt": "a",
                "resources": [{"type": "lora", "name": "x", "hash": "9F8E7D6C5B", "weight": 0.4}],
            },
            Example("a", 0.4),
        ),
        (
            {"prompt": "a", "resources": [{"type": "model", "name": "rain_alley", "weight": 0.4}]},
            Example("a"),
        ),
        (
            {
                "prompt": "a",
                "resources": [{"type": "lora", "name": "x", "hash": "0A1B2C3D4E5F", "weight": 0.4}],
            },
            Example("a", 0.4),
        ),
        (
            {
                "prompt": "a",
                "resources": [{"type": "lora", "name": "x", "hash": "0a1b2c3d", "weight": 0.4}],
            },
            Example("a"),
        ),
        (
            {"prompt": "a", "resources": [{"type": "lora", "name": "rainalley_v1", "weight": 0.5}]},
            Example("a", 0.5),
        ),
        ({"prompt": "a <lora:other:0.3> <lora:rain_alley:0.9>"}, Example("a", 0.9)),
        ({"prompt": "a <lora:other:0.3> <lora:rainAlley_v1:0.9>"}, Example("a", 0.9)),
        ({"prompt": "a <lora:renamed:0.3>"}, Example("a", 0.3)),
        ({"prompt": "a <lora:x:0.3>, <lora:y:0.4>, b"}, Example("a , b")),
        ({"meta": {"prompt": "nested", "resources": None}}, Example("nested")),
        ({"prompt": "a <lora:rain_alley:1.2.3>"}, Example("a")),
    ],
)
def test_the_weight_in_a_pictures_metadata(meta: dict[str, Any], example: Example) -> None:
    assert civitai_facts(version(images=[{"meta": meta}]), SUBJECT).examples == (example,)


@pytest.mark.parametrize(
    "images",
    [
        None,
        {},
        [None],
        [{"meta": {"prompt": ""}}],
        [{"meta": {"prompt": "<lora:x:1>"}}],
        [{"meta": 3}],
    ],
)
def test_pictures_without_a_prompt_are_no_examples(images: object) -> None:
    assert civitai_facts(version(images=images), SUBJECT).examples == ()


SCRAMBLED = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "id",
                    "modelId",
                    "model",
                    "modelVersions",
                    "items",
                    "name",
                    "tags",
                    "trainedWords",
                    "images",
                    "meta",
                    "prompt",
                ]
                + [
                    "resources",
                    "civitaiResources",
                    "weight",
                    "hash",
                    "files",
                    "hashes",
                    "SHA256",
                    "AutoV3",
                    "sizeKB",
                    "stats",
                ]
                + [
                    "thumbsUpCount",
                    "thumbsDownCount",
                    "downloadCount",
                    "creator",
                    "username",
                    "description",
                    "nsfw",
                    "type",
                ]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=25,
)


@given(SCRAMBLED)
def test_any_json_states_something_clean(content: object) -> None:
    facts = civitai_facts(content, SUBJECT)
    json.dumps([facts.name, facts.text, facts.tags, facts.triggers], ensure_ascii=False).encode()
    assert facts.rating is None or 0 <= facts.rating <= 1
    assert facts.version_id is None or facts.version_id > 0


@pytest.mark.parametrize(
    ("up", "down", "rating"),
    [(1, 0, None), (0, 9, None), (5, 5, 0.5), (0, 10, 0.0), (99, 1, 0.99), (-5, 50, None)],
)
def test_a_few_votes_say_nothing(up: int, down: int, rating: float | None) -> None:
    assert (
        civitai_facts(version(stats={"thumbsUpCount": up, "thumbsDownCount": down}), SUBJECT).rating
        == rating
    )

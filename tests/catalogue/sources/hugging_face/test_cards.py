"""Cards of repositories as the hub lists them, odd values included."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.catalogue.sources.hugging_face import cards as why
from stylus_ext.catalogue.sources.hugging_face.cards import cards_of, repository_of, skip_reason
from stylus_ext.catalogue.sources.hugging_face.files import HubFile
from stylus_ext.core.card import AdapterCard, AdapterKey, Example, merge_cards
from stylus_ext.core.family import family_of
from tests.hub_service.shapes import COMMIT, a_repo

FILE = HubFile("rain-fox.safetensors", 20_000_000, hashlib.sha256(b"rain fox").hexdigest())


def card_of(files: list[HubFile] | None = None, **changes: Any) -> AdapterCard:
    repo = a_repo(**changes)
    found = repository_of(repo.listed())
    assert found is not None
    return next(iter(cards_of(found, files or [FILE], repo.files["README.md"].decode())))


def reason(*, nsfw: bool = False, has_key: bool = False, **changes: Any) -> str | None:
    return skip_reason(a_repo(**changes).listed(), nsfw=nsfw, has_key=has_key)


def test_a_card_of_a_repository() -> None:
    card = card_of()
    assert card.key == AdapterKey.sha256(FILE.sha256)
    assert (card.name, card.source, card.creator, card.licence) == (
        "rain fox",
        "huggingface",
        "somebody",
        "openrail++",
    )
    assert family_of(card.base_model) == "sdxl"
    assert card.tags == ("fox",)
    assert card.triggers == ("a photo of rnfx fox",)
    assert "Draws a red fox in the rain" in card.text
    assert "Weights are here" not in card.text
    assert card.examples == (Example("rnfx fox in a wet street"),)
    assert (card.images, card.downloads, card.nsfw) == (2, 120, False)
    assert (
        card.preview == f"https://huggingface.co/somebody/rain-fox/resolve/{COMMIT}/images/one.png"
    )
    assert card.remote is not None
    assert (card.remote.name, card.remote.size, card.remote.sha256) == (
        "rain-fox.safetensors",
        20_000_000,
        FILE.sha256,
    )
    assert (
        card.remote.url
        == f"https://huggingface.co/somebody/rain-fox/resolve/{COMMIT}/rain-fox.safetensors"
    )


def test_front_matter_missing_in_the_listing_is_read_from_the_readme() -> None:
    repo = a_repo(stated={"cardData": None})
    found = repository_of(repo.listed())
    assert found is not None
    card = next(iter(cards_of(found, [FILE], repo.files["README.md"].decode())))
    assert card.triggers == ("a photo of rnfx fox",)
    assert card.examples


def test_trigger_words_of_the_body_fill_a_gap() -> None:
    text = "You should use `rnfx, wet fur` to trigger the image generation."
    assert card_of(
        head={"instance_prompt": None}, text=f"---\na: 1\n---\n{text}".encode()
    ).triggers == ("rnfx", "wet fur")
    assert card_of(head={"instance_prompt": ["one", "<lora:x:1>two"]}).triggers == ("one", "two")


@pytest.mark.parametrize(
    ("repo", "stem", "name"),
    [
        ("somebody/rain-fox", "pytorch_lora_weights", "rain fox"),
        ("somebody/lora", "pytorch_lora_weights", "lora (somebody)"),
        ("somebody/my_first_LoRA", "x", "my first LoRA"),
    ],
)
def test_a_single_file_is_called_after_its_repository(repo: str, stem: str, name: str) -> None:
    assert card_of([HubFile(f"{stem}.safetensors", 9, FILE.sha256)], name=repo).name == name


def test_files_of_a_collection_have_names_and_keys_of_their_own() -> None:
    repo = a_repo("somebody/animals")
    found = repository_of(repo.listed())
    assert found is not None
    files = [
        HubFile(f"{name}_style.safetensors", 9, hashlib.sha256(name.encode()).hexdigest())
        for name in ("fox", "owl")
    ]
    cards = list(cards_of(found, files, ""))
    assert [card.name for card in cards] == ["fox style", "owl style"]
    assert len({card.key for card in cards}) == 2
    assert not any(card.examples for card in cards), (
        "nobody says with which file a picture was made"
    )


@pytest.mark.parametrize(
    ("picture", "path"),
    [
        ("images/one.png", "images/one.png"),
        ("./two words.webp", "two%20words.webp"),
        ("https://elsewhere.org/x.png", ""),
        ("http://10.0.0.1/x.png", ""),
        ("x.mp4", ""),
        ("../x.png", ""),
        ("/etc/x.png", ""),
        (f"https://huggingface.co/somebody/rain-fox/resolve/{COMMIT}/a.png", "a.png"),
        (f"https://huggingface.co/another/one/resolve/{COMMIT}/a.png", ""),
        ("javascript://x.png", ""),
        (5, ""),
    ],
)
def test_previews_are_pictures_of_the_repository_itself(picture: object, path: str) -> None:
    preview = card_of(head={"widget": [{"text": "a", "output": {"url": picture}}]}).preview
    assert preview == (
        f"https://huggingface.co/somebody/rain-fox/resolve/{COMMIT}/{path}" if path else ""
    )


@pytest.mark.parametrize(
    ("head", "licence"),
    [
        ({"license": "mit"}, "mit"),
        ({"license": "other", "license_name": "flux-1-dev"}, "flux-1-dev"),
        ({"license": "other"}, "other"),
        ({"license": None}, ""),
    ],
)
def test_licences(head: dict[str, Any], licence: str) -> None:
    assert card_of(head=head).licence == licence


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"stated": {"gated": "auto"}}, why.GATED),
        ({"stated": {"gated": "manual"}}, why.GATED),
        ({"stated": {"private": True}}, why.PRIVATE),
        ({"stated": {"disabled": True}}, why.DISABLED),
        ({"tags": ["lora", "text-to-image", "not-for-all-audiences"]}, why.NSFW),
        ({"head": {"tags": ["nsfw", "lora"]}}, why.NSFW),
        ({"tags": ["text-to-image"], "head": {"tags": []}}, why.NOT_A_LORA),
        ({"stated": {"pipeline_tag": "text-generation"}}, why.NOT_FOR_PICTURES),
        ({"stated": {"pipeline_tag": "text-to-video"}}, why.NOT_FOR_PICTURES),
        (
            {
                "stated": {"pipeline_tag": None},
                "tags": ["lora", "peft", "base_model:adapter:meta-llama/Llama-2-7b"],
                "head": {"tags": []},
            },
            why.NOT_FOR_PICTURES,
        ),
        ({"tags": ["lora", "transformers", "text-to-image"]}, why.NOT_FOR_PICTURES),
        ({"stated": {"sha": "main"}}, why.UNREADABLE),
        ({"stated": {"sha": None}}, why.UNREADABLE),
        ({"name": "a/../b"}, why.UNREADABLE),
        ({"stated": {"id": 5, "modelId": None}}, why.UNREADABLE),
        ({}, None),
        ({"stated": {"pipeline_tag": None}}, None),
        ({"stated": {"gated": None}}, None),
        ({"stated": {"modelId": None}}, None),
        ({"stated": {"pipeline_tag": "image-to-image"}}, None),
    ],
)
def test_skip_reasons(changes: dict[str, Any], said: str | None) -> None:
    assert reason(**changes) == said


def test_gated_and_nsfw_repositories_on_request() -> None:
    assert reason(stated={"gated": "auto"}, has_key=True) is None
    assert reason(tags=["lora", "text-to-image", "not-for-all-audiences"], nsfw=True) is None
    assert card_of(tags=["lora", "text-to-image", "not-for-all-audiences"]).nsfw


def test_civitai_cards_take_precedence_and_keep_the_hubs_file() -> None:
    hub = card_of()
    civitai = AdapterCard(
        AdapterKey.civitai(7), "Rain Fox", "civitai", remote=None, equivalents=(hub.key,)
    )
    both = merge_cards([hub, civitai])
    assert (both.key, both.name, both.remote) == (civitai.key, "Rain Fox", hub.remote)
    assert hub.key in both.equivalents


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["text", "output", "url", "tags", "base_model", "x"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from(
            [
                "tags",
                "cardData",
                "pipeline_tag",
                "gated",
                "private",
                "downloads",
                "siblings",
                "modelId",
            ]
        ),
        json_values,
    ),
    json_values,
    json_values,
)
def test_any_item_is_a_card_or_a_reason(
    stated: dict[str, Any], widget: object, prompt: object
) -> None:
    item = {**a_repo(head={"widget": widget, "instance_prompt": prompt}).listed(), **stated}
    if skip_reason(item, nsfw=True, has_key=True) is None:
        found = repository_of(item)
        assert found is not None
        assert next(iter(cards_of(found, [FILE], "---\na: 1\n---\n"))).name

"""Cards of Civitai's JSON, odd and hostile values included."""

from __future__ import annotations

from datetime import datetime, timezone
from statistics import median
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.catalogue.refine.rules import CardRefiner
from stylus_ext.catalogue.sources.civitai import cards as why
from stylus_ext.catalogue.sources.civitai.cards import (
    CardFilter,
    add_examples,
    card_of,
    cards_of_model,
    licence,
)
from stylus_ext.core.card import AdapterCard, AdapterKey, Example, RemoteFile
from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.family import Compatibility, compatibility, family_of
from tests.civitai_service.shapes import (
    a_file,
    a_made_picture,
    a_model,
    a_picture,
    a_version,
    hashes_of,
)

NOW = datetime(2026, 6, 1, tzinfo=timezone.utc)
SIEVE = CardFilter(NOW)


def one(model: dict[str, Any], sieve: CardFilter = SIEVE) -> AdapterCard:
    (card,) = cards_of_model(model, sieve)
    assert isinstance(card, AdapterCard), card
    return card


def reason(model: dict[str, Any], sieve: CardFilter = SIEVE) -> str:
    (said,) = cards_of_model(model, sieve)
    assert isinstance(said, str), said
    return said


def with_version(**changes: Any) -> dict[str, Any]:
    return a_model(1, a_version(11, **changes))


@pytest.mark.parametrize(
    ("model_type", "expected"),
    [("LORA", "lora"), ("DoRA", "lora"), ("TextualInversion", "embedding")]
    + [("Hypernetwork", "hypernetwork")],
)
def test_the_type_of_a_model(model_type: str, expected: str) -> None:
    card = one(a_model(1, a_version(11), type=model_type))
    assert (card.type, card.negative) == (expected, False)


def test_a_file_listed_as_negative_is_an_embedding_for_the_negative_prompt() -> None:
    files = [a_file(11, "helper.safetensors", type="Negative")]
    assert one(a_model(1, a_version(11, files=files), type="TextualInversion")).negative
    assert reason(a_model(1, a_version(11, files=files), type="LORA")) == why.NO_FILE


def test_of_both_kinds_of_files_the_model_is_chosen() -> None:
    files = [
        a_file(11, "helper-neg.safetensors", b"no", type="Negative", primary=False),
        a_file(11, "helper.safetensors", b"yes", primary=False),
    ]
    card = one(a_model(1, a_version(11, files=files), type="TextualInversion"))
    assert card.remote is not None
    assert (card.remote.name, card.negative) == ("helper.safetensors", False)
    negative = hashes_of(b"no")["SHA256"].lower()
    own = CardFilter(NOW, owned=True)
    found = card_of(a_model(1, type="TextualInversion"), a_version(11, files=files), own, negative)
    assert isinstance(found, AdapterCard)
    assert found.negative


def test_the_name_and_text_tell_a_negative_embedding() -> None:
    told = a_model(1, a_version(11), type="TextualInversion", name="EasyNegative")
    assert one(told).negative
    assert not one({**told, "type": "LORA"}).negative


def test_pickles_are_not_offered() -> None:
    files = [a_file(11, "old.pt", metadata={"format": "PickleTensor"})]
    model = a_model(1, a_version(11, files=files), type="TextualInversion")
    assert reason(model) == why.NO_FILE
    assert one(model, CardFilter(NOW, owned=True)).remote is None


def test_a_card_of_civitai() -> None:
    body = b"the whole file"
    version = a_version(
        11,
        name="v1.1",
        files=[a_file(11, "rain_alley.safetensors", body)],
        trainedWords=["rainalley, neon", "rainalley night"],
        images=[a_picture(5), a_picture(6)],
    )
    card = one(a_model(1, version, name="Rainy  Neon Alley", tags=["background", "style"]))
    sha256 = str(hashes_of(body)["SHA256"]).lower()
    assert card == AdapterCard(
        key=AdapterKey.civitai(11),
        name="Rainy Neon Alley",
        source="civitai",
        version="v1.1",
        model_id=1,
        base_model="SD 1.5",
        tags=("background", "style"),
        triggers=("rainalley, neon", "rainalley night"),
        text="<p>Draws the thing number 1.</p>",
        images=2,
        preview="https://image.civitai.com/x/5.jpeg",
        downloads=100,
        rating=0.9,
        creator="example_maker",
        licence=(
            "commercial use: Image, RentCivit; no credit needed; derivatives allowed; same licence"
            " for derivatives"
        ),
        remote=RemoteFile("rain_alley.safetensors", len(body), sha256),
        auto_v3=str(hashes_of(body)["AutoV3"]).lower(),
        equivalents=(AdapterKey.sha256(sha256),),
    )


def test_every_version_is_a_card_of_its_own() -> None:
    cards = list(
        cards_of_model(
            a_model(1, a_version(11), a_version(12, name="v2"), a_version(13, status="Draft")),
            SIEVE,
        )
    )
    assert [card.key if isinstance(card, AdapterCard) else card for card in cards] == [
        AdapterKey.civitai(11),
        AdapterKey.civitai(12),
        why.NOT_PUBLIC,
    ]


@pytest.mark.parametrize("images", [None, [], {}, "none"])
def test_images_may_be_missing(images: Any) -> None:
    card = one(with_version(images=images))
    assert (card.images, card.preview, card.examples) == (None, "", ())
    bare = a_version(11)
    del bare["images"]
    assert one(a_model(1, bare)).images is None


def test_hashes_may_be_empty() -> None:
    card = one(with_version(files=[a_file(11, hashes={})]))
    assert card.remote is not None
    assert (card.remote.sha256, card.equivalents) == (None, ())


@pytest.mark.parametrize(
    ("uses", "said"),
    [
        (["Image", "RentCivit"], "commercial use: Image, RentCivit"),
        ("{Image,RentCivit}", "commercial use: Image, RentCivit"),
        ("Sell", "commercial use: Sell"),
        ("{}", "commercial use: none"),
        ([], "commercial use: none"),
        (["None"], "commercial use: none"),
        ('{"Image","Rent"}', "commercial use: Image, Rent"),
        (None, ""),
        (5, "commercial use: none"),
    ],
)
def test_commercial_use_comes_as_a_list_or_as_text(uses: Any, said: str) -> None:
    assert licence({"allowCommercialUse": uses}) == said


def test_trained_words_lose_their_tags_and_keep_their_groups() -> None:
    card = one(
        with_version(
            trainedWords=[
                "<lora:rain:0.8>",
                "rainalley, neon <lora:rain:1>",
                "",
                None,
                "  ",
                "rain at night",
                "RAIN AT NIGHT",
            ]
        )
    )
    assert card.triggers == ("rainalley, neon", "rain at night")
    assert one(with_version(trainedWords=None)).triggers == ()


def test_descriptions_become_text_without_advertisements() -> None:
    html = (
        "<h1>Rainy alley</h1><p>Wet streets with <b>neon</b> reflections and"
        ' steam.</p><script>alert(1)</script><p>Join my <a href="https://discord.gg/x">Discord</a>!'
        ' Support me on <a href="https://patreon.com/x">Patreon</a></p><p>Buy me a coffee:'
        " https://ko-fi.com/x</p><p>Use it at weight 0.7</p>"
    )
    description = CardRefiner().refine(one(a_model(1, description=html)))
    assert "neon" in description.text
    for word in ("<", "Discord", "Patreon", "ko-fi", "http", "alert", "coffee"):
        assert word not in description.text
    assert description.weight == 0.7
    assert one(a_model(1, description=None)).text == ""


def test_videos_are_no_previews_and_no_examples() -> None:
    images = [
        a_picture(5, type="video", url="https://image.civitai.com/x/5.mp4"),
        a_picture(6, url="https://image.civitai.com/x/6.MP4?x=1"),
        a_picture(7, type="video", meta={"prompt": "a moving alley"}),
        a_picture(8),
    ]
    card = one(with_version(images=images))
    assert card.preview.endswith("/8.jpeg")
    assert card.images == 4
    assert card.examples == ()


@pytest.mark.parametrize(
    "url",
    [
        None,
        5,
        "http://image.civitai.com/x.jpeg",
        "javascript:alert(1)",
        "https://a b/",
        "//x/y.jpeg",
        "",
    ],
)
def test_an_invalid_address_is_no_preview(url: Any) -> None:
    assert one(with_version(images=[a_picture(5, url=url)])).preview == ""


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (a_model(1, type="Checkpoint"), why.NOT_A_LORA),
        (a_model(1, poi=True), why.PERSON),
        (a_model(1, minor=True), why.MINOR),
        (a_model(1, nsfw=True), why.NSFW),
        (a_model(1, nsfw="X"), why.NSFW),
        (a_model(1, nsfwLevel=28), why.NSFW),
        (a_model(1, a_version(11, nsfwLevel=16)), why.NSFW),
        (a_model(1, a_version(11, files=[]), mode="Archived"), why.ARCHIVED),
        (a_model(1, a_version(11, files=None, images=None), mode="TakenDown"), why.TAKEN_DOWN),
        (
            a_model(
                1,
                a_version(11, availability="EarlyAccess", earlyAccessEndsAt="2099-01-01T00:00:00Z"),
            ),
            why.EARLY_ACCESS,
        ),
        (a_model(1, a_version(11, paidAccess='{"permanent": true}')), why.PAID),
        (a_model(1, a_version(11, usageControl="Generation")), why.DISABLED),
        (a_model(1, a_version(11, files=[])), why.NO_FILE),
        (a_model(1, a_version(11, files=[a_file(11, pickleScanResult="Danger")])), why.DANGER),
        (a_model(1, a_version(11, id="x")), why.UNREADABLE),
        (a_model(1, modelVersions=[]), why.NO_FILE),
        (a_model(1, modelVersions=None, mode="Archived"), why.ARCHIVED),
        ({}, why.NOT_A_LORA),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_skipped_version_has_a_reason(model: dict[str, Any], said: str) -> None:
    assert reason(model) == said


def test_nsfw_versions_are_kept_on_request_and_marked() -> None:
    images = [a_picture(5, nsfwLevel=16)]
    assert one(a_model(1, a_version(11, images=images), nsfw=True), CardFilter(NOW, nsfw=True)).nsfw
    assert reason(a_model(1, nsfw=True, poi=True), CardFilter(NOW, nsfw=True)) == why.PERSON
    assert reason(a_model(1, nsfw=True, minor=True), CardFilter(NOW, nsfw=True)) == why.MINOR
    assert not one(a_model(1), CardFilter(NOW, nsfw=True)).nsfw


def test_a_safe_card_has_no_nsfw_preview() -> None:
    images = [
        a_picture(5, nsfwLevel=8, meta={"prompt": "not for work"}),
        a_picture(6, nsfwLevel=1, meta={"prompt": "an alley"}),
    ]
    card = one(a_model(1, a_version(11, images=images, nsfwLevel=9), nsfwLevel=31))
    assert not card.nsfw
    assert card.preview.endswith("/6.jpeg")
    assert card.examples == (Example("an alley"),)


def test_unknown_base_models_stay_as_they_are_and_fit_nothing_else() -> None:
    card = one(with_version(baseModel="Brand New 9"))
    assert card.base_model == "Brand New 9"
    for other in ("sd1", "sdxl", "flux1", "pony"):
        assert compatibility(family_of(card.base_model), other) is Compatibility.NONE
    assert compatibility(family_of("Pony V7"), family_of("Pony")) is Compatibility.NONE


def test_only_versions_for_the_wanted_base_models_are_kept() -> None:
    model = a_model(1, a_version(11), a_version(12, baseModel="Pony"))
    assert [
        one if isinstance(one, str) else one.base_model
        for one in cards_of_model(model, CardFilter(NOW, base_models=("Pony",)))
    ] == [
        why.OTHER_BASE,
        "Pony",
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"mode": "Archived"},
        {"nsfw": True},
        {"availability": "Private"},
    ],
    ids=str,
)
def test_owned_files_get_cards_even_if_not_downloadable(
    changes: dict[str, Any],
) -> None:
    sha256 = "ab" * 32
    model = a_model(1, **changes)
    card = card_of(model, a_version(11, files=[]), CardFilter(NOW, owned=True), sha256)
    assert isinstance(card, AdapterCard)
    assert card.equivalents == (AdapterKey.sha256(sha256),)
    assert card.remote is None
    assert (
        card_of(a_model(1, poi=True), a_version(11), CardFilter(NOW, owned=True), sha256)
        == why.PERSON
    )


def test_the_users_file_is_named_even_if_it_is_not_the_primary_one() -> None:
    body = b"the pruned one"
    other = {**a_file(11, "pruned.safetensors", body, type="Pruned Model"), "primary": None}
    sha256 = str(hashes_of(body)["SHA256"]).lower()
    card = card_of(
        a_model(1), a_version(11, files=[a_file(11), other]), CardFilter(NOW, owned=True), sha256
    )
    assert isinstance(card, AdapterCard)
    assert card.remote is not None
    assert card.remote.name == "pruned.safetensors"
    assert card.equivalents == (AdapterKey.sha256(sha256),)


def test_example_prompts_and_their_weights() -> None:
    card = one(with_version())
    pictures = [
        a_made_picture(11, "neon alley <lora:adapter_11:0.6>"),
        a_made_picture(11, "alley at night", 0.7),
        a_made_picture(11, "wet alley", 0.9),
        a_made_picture(11, "flat", nsfwLevel="Mature", browsingLevel=4),
        a_made_picture(11, "moving", type="video"),
        a_made_picture(11, "", None),
        a_made_picture(11, "x", meta=None),
    ]
    nested = a_made_picture(11, "")
    nested["meta"] = {
        "id": 5,
        "meta": {
            "prompt": "nested alley",
            "civitaiResources": [{"type": "lora", "modelVersionId": 11, "weight": 0.8}],
        },
    }
    told = add_examples(card, [*pictures, nested])
    assert told.examples == (
        Example("neon alley", 0.6),
        Example("alley at night", 0.7),
        Example("wet alley", 0.9),
        Example("nested alley", 0.8),
    )
    assert CardRefiner().refine(told).weight == median([0.6, 0.7, 0.9, 0.8])


def test_one_prompt_made_often_does_not_outvote_the_others() -> None:
    card = one(with_version())
    told = add_examples(
        card,
        [a_made_picture(11, "the same", 0.2) for _ in range(9)]
        + [a_made_picture(11, f"other {n}", 0.8) for n in range(3)],
    )
    assert CardRefiner().refine(told).weight == 0.8


def test_examples_are_of_a_version() -> None:
    with pytest.raises(InvalidInput):
        add_examples(AdapterCard(AdapterKey.path("x"), "x", "local"), [])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*a_model(1), *a_version(1), *a_file(1)]), inner, max_size=6
        )
    ),
    max_leaves=20,
)


@given(
    st.dictionaries(st.sampled_from(list(a_model(1))), JSON, max_size=12),
    st.dictionaries(st.sampled_from(list(a_version(1))), JSON, max_size=12),
)
def test_any_json_is_a_card_or_a_reason(model: dict[str, Any], version: dict[str, Any]) -> None:
    """Real models in which anything may be anything else."""
    for given_model in (
        a_model(
            1,
            {**a_version(11), **version},
            **{key: value for key, value in model.items() if key != "modelVersions"},
        ),
        model,
    ):
        for sieve in (SIEVE, CardFilter(NOW, nsfw=True, owned=True)):
            for found in cards_of_model(given_model, sieve):
                assert isinstance(found, (AdapterCard, str))
                if isinstance(found, AdapterCard):
                    CardRefiner().refine(add_examples(found, [version, model]))

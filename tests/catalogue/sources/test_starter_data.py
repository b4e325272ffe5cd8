"""Every line of the starter catalogue: complete, unique, plausible, safe for work, and spread over
kinds and families.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from stylus_ext.catalogue.sources.starter import StarterCatalogue
from stylus_ext.core.entry import KINDS
from stylus_ext.core.family import family_of, known_families
from tests.fakes import Watch

STARTER = Path(__file__).resolve().parents[3] / "stylus_ext" / "data" / "starter.jsonl"
LINES = STARTER.read_text("utf-8").splitlines()
ENTRIES: list[dict[str, Any]] = [json.loads(line) for line in LINES]

FIELDS: dict[str, type | tuple[type, ...]] = {
    "model_id": int,
    "version_id": int,
    "name": str,
    "version": str,
    "base_model": str,
    "file": str,
    "size_kb": (int, float),
    "sha256": str,
    "triggers": list,
    "tags": list,
    "kind": str,
    "weight": (int, float),
    "description": str,
}
EXPECTED_KINDS = {
    "style",
    "character",
    "clothing",
    "pose",
    "action",
    "background",
    "building",
    "vehicle",
    "animal",
    "object",
    "concept",
}
UNSAFE = re.compile(
    r"\b(?:nsfw|nude|nudity|naked|sex\w*|porn\w*|hentai|ecchi|lewd|erotic\w*|breasts?|boobs?|nipples?|ass|butt|panties|"
    r"underwear|lingerie|bikini|ahegao|bondage|fetish|cleavage|gore|loli\w*|shota\w*|child|children|kid|toddler|"
    r"teen|teenage\w*|schoolgirl|underage)\b",
    re.I,
)
HYPE = re.compile(
    r"\b(?:amazing|awesome|best|stunning|incredible|perfect(?!"
    r" Cell)|ultimate|masterpiece|must-have|download)\b",
    re.I,
)
TRAINING = re.compile(
    r"\b(?:lora|locon|lycoris|trained|training|trigger|checkpoint|dataset|epochs?|prompt|https?|www)\b",
    re.I,
)


def broken(entry: Mapping[str, Any]) -> list[str]:
    """What is wrong with one line; empty when it is sound."""
    if list(entry) != list(FIELDS):
        return [f"has the fields {list(entry)}"]
    mistyped = [
        f"{field} is {entry[field]!r}"
        for field, kind in FIELDS.items()
        if not isinstance(entry[field], kind) or isinstance(entry[field], bool)
    ]
    return mistyped or [*_broken_file(entry), *_broken_words(entry)]


def _broken_file(entry: Mapping[str, Any]) -> list[str]:
    checks = {
        "model_id": entry["model_id"] > 0,
        "version_id": entry["version_id"] > 0,
        "sha256": (
            re.fullmatch(r"[0-9a-f]{64}", entry["sha256"]) is not None
            and len(set(entry["sha256"])) > 8
        ),
        "file": re.fullmatch(r"[^/\\:<>|?*\x00-\x1f]+\.safetensors", entry["file"]) is not None,
        "size_kb": 500 <= entry["size_kb"] <= 900_000 and (entry["size_kb"] * 1024) % 1 == 0,
        "base_model": family_of(entry["base_model"]) in known_families(),
        "weight": 0.3 <= entry["weight"] <= 1.25,
    }
    return [f"{field} is {entry[field]!r}" for field, sound in checks.items() if not sound]


def _broken_words(entry: Mapping[str, Any]) -> list[str]:
    description = entry["description"]
    texts = [entry["name"], entry["version"], description, *entry["tags"], *entry["triggers"]]
    words = description.split()
    checks = {
        "name": bool(entry["name"]),
        "kind": entry["kind"] in EXPECTED_KINDS,
        "a text": all(isinstance(text, str) and text == text.strip() for text in texts),
        "tags": (
            1 <= len(entry["tags"]) <= 6
            and all(tag and tag == tag.lower() for tag in entry["tags"])
        ),
        "triggers": (
            len(set(entry["triggers"])) == len(entry["triggers"]) <= 8 and all(entry["triggers"])
        ),
        "one sentence": description.endswith(".") and re.search(r"[.!?]\s", description) is None,
        "its beginning": description[:1].isupper() and description.isascii(),
        "8 to 25 words": 8 <= len(words) <= 25,
        "safe for work": not any(UNSAFE.search(text) for text in texts),
        "free of hype": HYPE.search(description) is None and TRAINING.search(description) is None,
    }
    return [f"fails at {what}" for what, sound in checks.items() if not sound]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: str(entry.get("model_id")))
def test_a_line_is_sound(entry: dict[str, Any]) -> None:
    assert broken(entry) == []


SOUND = ENTRIES[0]


@pytest.mark.parametrize(
    "change",
    [
        {"model_id": 0},
        {"version_id": "17"},
        {"version_id": True},
        {"sha256": SOUND["sha256"].upper() + "A"},
        {"sha256": "0" * 64},
        {"file": "../" + SOUND["file"]},
        {"file": "weights.ckpt"},
        {"size_kb": 12.5},
        {"size_kb": 150_000.0001},
        {"base_model": "Other"},
        {"kind": "person"},
        {"weight": 3.0},
        {"tags": []},
        {"triggers": ["twice", "twice"]},
        {"description": "Too short."},
        {
            "description": (
                "Draws a quiet harbour at dawn with boats. And then a second sentence follows."
            )
        },
        {"description": "Draws a nude figure in a quiet harbour at dawn with many boats."},
        {"description": "Draws the most amazing harbour at dawn with boats and gulls and clouds."},
        {"description": "This LoRA draws a quiet harbour at dawn with boats and gulls."},
    ],
    ids=str,
)
def test_a_broken_line_is_refused(change: dict[str, Any]) -> None:
    assert broken(SOUND) == []
    assert broken({**SOUND, **change}) != []


def test_a_line_with_a_field_more_or_less_is_noticed() -> None:
    assert broken({**SOUND, "prompt": "x"}) != []
    assert broken({field: SOUND[field] for field in FIELDS if field != "weight"}) != []


@pytest.mark.parametrize("field", ["model_id", "version_id", "sha256", "description"])
def test_nothing_is_there_twice(field: str) -> None:
    assert [
        value for value, times in Counter(entry[field] for entry in ENTRIES).items() if times > 1
    ] == []


def test_no_two_files_share_a_stem_in_the_eyes_of_the_host() -> None:
    stems = Counter(Path(entry["file"]).stem.casefold() for entry in ENTRIES)
    assert [stem for stem, times in stems.items() if times > 1] == []


def test_the_file_is_plain_utf8_json_lines() -> None:
    raw = STARTER.read_bytes()
    assert raw.endswith(b"\n")
    assert not raw.startswith(b"\xef\xbb\xbf")
    assert b"\r" not in raw
    assert len(LINES) == raw.count(b"\n")
    assert all(
        line == json.dumps(entry, ensure_ascii=False)
        for line, entry in zip(LINES, ENTRIES, strict=True)
    )


def test_size_and_spread_over_kinds() -> None:
    kinds = Counter(entry["kind"] for entry in ENTRIES)
    assert 200 <= len(ENTRIES) <= 220
    assert set(kinds) == EXPECTED_KINDS
    assert set(kinds) <= set(KINDS)
    assert min(kinds.values()) >= 5
    assert kinds["character"] <= len(ENTRIES) / 4


def test_several_families_are_there() -> None:
    families = Counter(family_of(entry["base_model"]) for entry in ENTRIES)
    assert {"sd1", "sd2", "sdxl", "flux1"} <= set(families)
    assert sum(count for family, count in families.items() if family != "sd1") >= 15


def test_utilities_are_few_and_marked() -> None:
    utilities = [entry for entry in ENTRIES if "utility" in entry["tags"]]
    assert 3 <= len(utilities) <= 10
    assert all(entry["kind"] == "concept" for entry in utilities)
    rest = [entry["name"] for entry in ENTRIES if entry not in utilities]
    assert [name for name in rest if re.search(r"tweak|enhancer|slider|\blcm\b", name, re.I)] == []


@pytest.mark.parametrize(
    "word",
    [
        "graffiti",
        "wall",
        "corgi",
        "dog",
        "watercolor",
        "cyberpunk",
        "dragon",
        "train",
        "castle",
        "robot",
    ],
)
def test_popular_subjects_are_in_the_catalogue(word: str) -> None:
    assert any(re.search(rf"\b{word}s?\b", entry["description"], re.I) for entry in ENTRIES)


def test_the_source_makes_a_card_of_every_line() -> None:
    cards = [
        sighting.card
        for sighting in StarterCatalogue(STARTER).cards({}, Watch())
        if sighting.card is not None
    ]
    assert [card.model_id for card in cards] == [entry["model_id"] for entry in ENTRIES]
    for card, entry in zip(cards, ENTRIES, strict=True):
        assert str(card.key) == f"civitai:{entry['version_id']}"
        assert card.remote is not None
        assert card.remote.size == entry["size_kb"] * 1024
        assert card.text == entry["description"]

"""Descriptions from pictures: resumable, by content, and never over a better text."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stylus_ext.catalogue.refine.rules import CardRefiner
from stylus_ext.core.card import AdapterCard, AdapterKey, LocalFile
from stylus_ext.core.entry import BY_CAPTIONS, BY_RULES, VIEWS, Edits, Entry
from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.ports import PictureUse
from stylus_ext.engine.stylus import Stylus
from tests.engine.test_operations import ask, stylus

__all__ = ["stylus"]

BOTH = ["blip", "deepbooru"]
FOX = {"blip": "a red fox in the snow near a frozen river", "deepbooru": "red fox, snow, animal"}


def picture(folder: Path, name: str, content: str = "") -> Path:
    path = folder / f"{name}.png"
    path.write_bytes((content or name).encode())
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def add(stylus: Stylus, preview: Path | None, name: str = "qx7", **changes: Any) -> Entry:
    card = AdapterCard(
        AdapterKey.path(f"{name}.safetensors"),
        name,
        "local",
        preview="" if preview is None else str(preview),
        **changes,
    )
    files = (LocalFile(f"/loras/{name}.safetensors", name, 9, 1),)
    entry = Entry(card, CardRefiner().refine(card), "sd15", files=files)
    stylus.catalogue.store.write([entry])
    return entry


def read(stylus: Stylus, entry: Entry) -> Entry:
    return stylus.catalogue.store.read([entry.key])[entry.key]


def targets(stylus: Stylus, interrogators: list[str] = BOTH) -> dict[str, Any]:
    return ask(stylus, "caption_targets", interrogators=interrogators)


def keep(stylus: Stylus, entry: Entry, path: Path, captions: Mapping[str, str]) -> None:
    where = {"key": str(entry.key), "path": str(path), "sha256": sha256(path)}
    ask(stylus, "caption", **where, captions=dict(captions))


def describe(stylus: Stylus, entry: Entry) -> bool:
    return bool(ask(stylus, "caption", key=str(entry.key))["described"])


def test_a_lora_without_text_is_described_and_embedded(stylus: Stylus, tmp_path: Path) -> None:
    preview = picture(tmp_path, "preview")
    entry = add(stylus, preview)
    found = targets(stylus)
    assert (found["adapters"], found["pictures"]) == (1, 1)
    wanted = [{"path": str(preview), "lacks": BOTH}]
    assert found["targets"] == [{"key": str(entry.key), "name": "qx7", "pictures": wanted}]
    keep(stylus, entry, preview, FOX)
    assert read(stylus, entry).description.source == BY_RULES
    assert describe(stylus, entry)
    now = read(stylus, entry)
    assert now.description.source == BY_CAPTIONS
    assert "fox" in now.text.lower()
    assert all(entry.key in stylus.catalogue.index.fingerprints(view) for view in VIEWS)
    hits = ask(stylus, "search", text="fox snow", on_disk=True)["entries"]
    assert str(entry.key) in [hit["key"] for hit in hits]
    again = targets(stylus)
    assert (again["adapters"], again["known"]) == (0, 1)
    assert not describe(stylus, entry)


def test_every_caption_is_kept_so_that_a_killed_run_goes_on(stylus: Stylus, tmp_path: Path) -> None:
    preview = picture(tmp_path, "preview")
    entry = add(stylus, preview)
    keep(stylus, entry, preview, {"blip": FOX["blip"]})
    assert targets(stylus)["targets"][0]["pictures"] == [
        {"path": str(preview), "lacks": ["deepbooru"]}
    ]
    keep(stylus, entry, preview, {"deepbooru": FOX["deepbooru"]})
    left = targets(stylus)  # killed before the description was written
    assert (left["adapters"], left["pictures"]) == (1, 0)
    assert describe(stylus, entry)


def test_the_content_of_a_picture_counts_and_not_its_path(stylus: Stylus, tmp_path: Path) -> None:
    one, two = picture(tmp_path, "one", "same"), picture(tmp_path, "two", "same")
    first, second = add(stylus, one, "qx1"), add(stylus, two, "qx2")
    keep(stylus, first, one, FOX)
    where = {"key": str(second.key), "path": str(two)}
    assert ask(stylus, "caption", **where, sha256=sha256(two))["known"] == BOTH
    assert [len(target["pictures"]) for target in targets(stylus)["targets"]] == [0, 0]
    assert describe(stylus, second)


def test_a_changed_picture_is_captioned_again(stylus: Stylus, tmp_path: Path) -> None:
    preview = picture(tmp_path, "preview")
    entry = add(stylus, preview)
    keep(stylus, entry, preview, FOX)
    assert describe(stylus, entry)
    preview.write_bytes(b"another picture")
    assert targets(stylus)["pictures"] == 1
    keep(stylus, entry, preview, {"blip": "a steam train on a stone bridge", "deepbooru": ""})
    assert describe(stylus, entry)
    assert "train" in read(stylus, entry).text
    assert "fox" not in read(stylus, entry).text


def test_a_file_that_is_no_picture_is_not_offered_again(stylus: Stylus, tmp_path: Path) -> None:
    broken = picture(tmp_path, "broken")
    entry = add(stylus, broken)
    ask(stylus, "caption", key=str(entry.key), path=str(broken), captions={})
    assert targets(stylus)["adapters"] == 0
    broken.write_bytes(b"repaired since")
    assert targets(stylus)["adapters"] == 1


def test_captions_that_say_nothing_are_no_description_and_not_asked_for_again(
    stylus: Stylus, tmp_path: Path
) -> None:
    preview = picture(tmp_path, "preview")
    entry = add(stylus, preview)
    before = read(stylus, entry)
    keep(stylus, entry, preview, {"blip": "", "deepbooru": "1girl, solo"})
    assert not describe(stylus, entry)
    assert read(stylus, entry) == before
    assert targets(stylus)["adapters"] == 0


@pytest.mark.parametrize("better", ["edit", "chat:model", "stylusdocs", "text", "tags"])
def test_better_texts_are_left_alone(stylus: Stylus, tmp_path: Path, better: str) -> None:
    preview = picture(tmp_path, "preview")
    texts: dict[str, dict[str, Any]] = {
        "text": {"text": "Draws foxes in deep snow with long red fur."},
        "tags": {"tags": ("fox", "animal")},
    }
    stated = texts.get(better, {})
    entry = add(stylus, preview, **stated)
    if better == "edit":
        stylus.catalogue.store.edit(entry.key, Edits(text="My own words."))
    elif not stated:
        made = replace(entry.description, source=better, text="What a model wrote.")
        stylus.catalogue.store.write([replace(entry, description=made)])
    before = read(stylus, entry)
    assert targets(stylus)["adapters"] == 0
    keep(stylus, entry, preview, FOX)
    assert not describe(stylus, entry)
    assert read(stylus, entry) == before


def test_the_users_own_pictures_count_and_common_words_are_kept(
    stylus: Stylus, tmp_path: Path
) -> None:
    entry = add(stylus, None)
    paths = [picture(tmp_path, name) for name in ("a", "b", "c")]
    uses = [PictureUse(entry.key, str(path), 1.0, 0.8) for path in paths]
    stylus.catalogue.store.uses.replace([str(tmp_path)], uses)
    assert targets(stylus)["pictures"] == 3
    for path, place in zip(paths, ("castle", "harbour", "kitchen"), strict=True):
        keep(stylus, entry, path, {"blip": "", "deepbooru": f"silver armor, red cape, {place}"})
    assert describe(stylus, entry)
    text = read(stylus, entry).text
    assert "silver armor" in text
    assert not any(place in text for place in ("castle", "harbour", "kitchen"))


def test_without_pictures_nothing_is_to_do(stylus: Stylus, tmp_path: Path) -> None:
    add(stylus, None)
    add(stylus, tmp_path / "gone.png", "qx8")
    found = targets(stylus)
    assert (found["adapters"], found["pictureless"]) == (0, 2)


def test_only_pictures_of_the_lora_are_accepted(stylus: Stylus, tmp_path: Path) -> None:
    entry = add(stylus, picture(tmp_path, "preview"))
    other = picture(tmp_path, "other")
    for changes in ({"path": str(other)}, {"sha256": "x"}, {"path": "preview.png"}):
        payload = {"path": str(tmp_path / "preview.png"), "sha256": "0" * 64} | changes
        with pytest.raises(InvalidInput):
            ask(stylus, "caption", key=str(entry.key), **payload)
    with pytest.raises(InvalidInput):
        ask(stylus, "caption", key="civitai:404", path=str(other), sha256="0" * 64)


def test_an_unknown_interrogator_is_refused(stylus: Stylus) -> None:
    with pytest.raises(InvalidInput):
        targets(stylus, ["clip"])

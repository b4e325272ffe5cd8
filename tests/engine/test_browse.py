"""What the Stylus tab lists and counts, over a real data folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from stylus_ext.core.errors import InvalidInput
from stylus_ext.engine.stylus import Stylus
from tests.engine.test_operations import ask, stylus
from tests.fakes import make_entry
from tests.lora_files import write_lora

__all__ = ["stylus"]


def names(answer: dict[str, Any]) -> list[str]:
    return [entry["name"] for entry in answer["entries"]]


def test_a_page_of_cards(stylus: Stylus) -> None:
    answer = ask(stylus, "browse", text="pix")
    assert (answer["total"], names(answer)) == (1, ["Pixel World"])
    card = answer["entries"][0]
    assert card["text"] == "Crisp pixel art of any scene."
    assert (card["refined"], card["bare"], card["nsfw"]) == (False, True, False)


def test_filters_combine(stylus: Stylus) -> None:
    stylus.catalogue.store.write(
        [
            make_entry(number, f"Many {number:03}", kind="style", family="sdxl")
            for number in range(10, 60)
        ]
    )
    assert ask(stylus, "browse", family="sdxl", kind="style")["total"] == 50
    assert ask(stylus, "browse", family="sdxl", kind="pose")["total"] == 0
    assert len(ask(stylus, "browse", family="sdxl")["entries"]) == 40
    assert names(ask(stylus, "browse", family="sdxl", offset=48)) == ["Many 058", "Many 059"]
    with pytest.raises(InvalidInput):
        ask(stylus, "browse", limit=1000)


def test_files_without_metadata_are_listed_as_bare(stylus: Stylus, tmp_path: Path) -> None:
    write_lora(tmp_path / "loras" / "zz17.safetensors")
    write_lora(
        tmp_path / "loras" / "told.safetensors",
        metadata={"ss_output_name": "told", "ss_tag_frequency": '{"a": {"tldtrg": 5}}'},
        seed=1,
    )
    ask(stylus, "index", lora_dirs=[str(tmp_path / "loras")])
    assert "zz17" in names(ask(stylus, "browse", bare=True))
    assert all(entry["bare"] for entry in ask(stylus, "browse", bare=True)["entries"])
    assert "Corgi Friend" in names(ask(stylus, "browse", bare=False))
    assert ask(stylus, "browse", refined=True)["total"] == 0


def test_the_overview_is_recounted_after_each_change(stylus: Stylus, tmp_path: Path) -> None:
    before = ask(stylus, "overview")
    assert (before["entries"], before["on_disk"], before["duplicates"], before["unnamed"]) == (
        2,
        0,
        0,
        0,
    )
    assert before["families"] == [{"family": "sd1", "name": "SD 1.5", "entries": 2, "on_disk": 0}]
    folder = tmp_path / "loras"
    first = write_lora(folder / "one.safetensors", seed=5)
    (folder / "again.safetensors").write_bytes(first.read_bytes())
    write_lora(folder / "two.safetensors", "sdxl", seed=6)
    ask(stylus, "index", lora_dirs=[str(folder)])
    ask(stylus, "edit", key="two", state="never")
    after = ask(stylus, "overview")
    assert after["on_disk"] == 2
    assert (after["duplicates"], after["unnamed"]) == (1, 3)
    assert after["states"]["never"] == 1
    assert {one["family"]: one["on_disk"] for one in after["families"]} == {"sd1": 1, "sdxl": 1}
    assert after["kinds"]["animal"] == 1


def test_newest_and_largest_files_come_first(stylus: Stylus, tmp_path: Path) -> None:
    folder = tmp_path / "loras"
    for number, stem in enumerate(("mid", "old", "new")):
        words = {"ss_output_name": stem, "comment": "x" * 1000 * number}
        path = write_lora(folder / f"{stem}.safetensors", metadata=words, seed=20 + number)
        age_s = {"old": 2000, "mid": 1000, "new": 0}[stem]
        os.utime(path, (1_700_000_000 - age_s,) * 2)
    ask(stylus, "index", lora_dirs=[str(folder)], hash=False)
    here = {"on_disk": True}
    assert names(ask(stylus, "browse", order="added", **here)) == ["new", "mid", "old"]
    assert names(ask(stylus, "browse", order="size", **here)) == ["new", "old", "mid"]
    assert names(ask(stylus, "browse", **here)) == ["mid", "new", "old"]
    assert names(ask(stylus, "browse", order="added", offset=1, limit=1, **here)) == ["mid"]
    assert names(ask(stylus, "browse", order="added"))[:3] == ["new", "mid", "old"]
    with pytest.raises(InvalidInput):
        ask(stylus, "browse", order="price")


def test_the_index_counts_new_files(stylus: Stylus, tmp_path: Path) -> None:
    folder = tmp_path / "loras"
    write_lora(folder / "one.safetensors", seed=30)
    assert ask(stylus, "index", lora_dirs=[str(folder)])["added"] == 1
    write_lora(folder / "one.safetensors", seed=31)
    write_lora(folder / "two.safetensors", seed=32)
    again = ask(stylus, "index", lora_dirs=[str(folder)])
    assert (again["added"], again["written"]) == (1, 2)


def test_each_filter_is_counted_under_the_others(stylus: Stylus) -> None:
    stylus.catalogue.store.write(
        [
            make_entry(number, f"Many {number}", kind=kind, family=family)
            for number, (kind, family) in enumerate(
                [("style", "sdxl"), ("pose", "sdxl"), ("style", "pony")], 10
            )
        ]
    )
    counts = ask(stylus, "browse", family="sdxl", kind="style", counts=True)["counts"]
    assert counts["kinds"] == {"style": 1, "pose": 1}
    assert {one["family"]: one["entries"] for one in counts["families"]}["pony"] == 1
    assert {one["family"]: one["entries"] for one in counts["families"]}["sdxl"] == 1
    assert counts["on_disk"] == 0
    for kind, number in counts["kinds"].items():
        assert ask(stylus, "browse", family="sdxl", kind=kind)["total"] == number
    assert "counts" not in ask(stylus, "browse")

"""What the Stylus tab lists and counts, over a real data folder."""

from __future__ import annotations

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

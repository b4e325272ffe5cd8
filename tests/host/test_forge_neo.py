"""What Forge Neo does otherwise than A1111."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.host.double.fixtures import Stage, staged
from tests.host.double.forge_neo import COMMENT, SAVE_COMMENTS, ForgeNeo, strip_comments
from tests.host.double.processing import parse_generation_parameters

ON = {"enabled": True}
PROMPT = "a corgi, watercolor"


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ForgeNeo:
    return ForgeNeo(tmp_path, monkeypatch)


@pytest.fixture
def neo(host: ForgeNeo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    yield from staged(host, tmp_path, monkeypatch)


def comments_of(prompt: str) -> list[str]:
    return [found.group().strip() for found in COMMENT.finditer(prompt)]


def prompts(done: Any) -> list[str]:
    return [parse_generation_parameters(text)["Prompt"] for text in done.infotexts]


def test_all_folders_are_read_and_watched_and_the_first_gets_downloads(
    neo: Stage, host: ForgeNeo, tmp_path: Path
) -> None:
    from stylus_ext.host import compat

    more = [tmp_path / name for name in ("of A1111", "of ComfyUI")]
    for folder in more:
        folder.mkdir()
    host.cmd_opts.lora_dirs = [*map(str, more), str(tmp_path), str(tmp_path / "nowhere")]
    folders = [str(tmp_path), *map(str, more)]
    assert compat.lora_folders() == folders
    host.api(ON, prompt=PROMPT)
    host.api(ON, prompt=PROMPT)
    host.cmd_opts.lora_dirs = []
    host.api(ON, prompt=PROMPT)
    assert [asked["lora_dirs"] for asked in neo.asked] == [folders, [], folders[:1]]


@pytest.mark.parametrize("value", [None, "one folder", 7])
def test_folders_of_another_shape_are_passed_over(
    neo: Stage, host: ForgeNeo, tmp_path: Path, value: object
) -> None:
    from stylus_ext.host import compat

    host.cmd_opts.lora_dirs = value
    assert compat.lora_folders() == [str(tmp_path)]


@pytest.mark.parametrize(
    ("engine", "family"),
    [("ZImage", "z-image"), ("Krea2", "krea2"), ("Mugen", "mugen"), ("Nebula9", "nebula9")],
)
def test_the_engines_class_is_the_family(
    neo: Stage, host: ForgeNeo, monkeypatch: pytest.MonkeyPatch, engine: str, family: str
) -> None:
    host.load(engine, monkeypatch)
    done = host.api(ON, prompt=PROMPT)
    assert neo.asked[0]["settings"]["selection"]["family"] == family
    assert parse_generation_parameters(done.infotexts[0])["Stylus family"] == family


@pytest.mark.parametrize(
    ("version", "is_new"), [("3.41.2", False), ("4.40.0", True), ("5.0.0b1", True), ("10.1", True)]
)
def test_gradio_is_told_by_its_major_version(
    neo: Stage, monkeypatch: pytest.MonkeyPatch, version: str, is_new: bool
) -> None:
    from stylus_ext.host import compat

    monkeypatch.setattr(compat.gr, "__version__", version, raising=False)
    assert ("concurrency_limit" in compat.long_event()) is is_new
    assert list(compat.browser_script("code")) == ["js" if is_new else "_js"]


def test_axes_are_added_where_the_library_keeps_them(
    neo: Stage, host: ForgeNeo, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stylus_ext.host import compat
    from stylus_ext.host.register import add_axes

    before = host.keep_axes_in_library(monkeypatch)
    found = compat.xyz_axes()
    assert found is not None
    assert found[0] == before
    found[0][1:] = []
    assert add_axes()
    assert add_axes()
    assert len(found[0]) == 8
    host.scripts.scripts_data.clear()
    assert compat.xyz_axes() == found
    monkeypatch.delitem(sys.modules, "lib_xyz.classes")
    assert not add_axes()


@pytest.mark.parametrize("saved", [False, True])
@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize(("count", "size"), [(1, 1), (2, 2), (3, 1)])
def test_infotexts_have_the_tags_of_every_picture(
    host: ForgeNeo, neo: Stage, saved: bool, first: bool, count: int, size: int
) -> None:
    """Wherever the user has sorted the script that copies the prompts for the infotexts."""
    host.opts.data[SAVE_COMMENTS] = saved
    if first:
        host.txt2img.scripts.reverse()
    done = host.api(
        {**ON, "compare": True}, prompt=f"{PROMPT} # mine", n_iter=count, batch_size=size
    )
    assert len(done.images) == (count + 1) * size
    assert "<lora:corgi_dog" in prompts(done)[0]
    host.opts.data[SAVE_COMMENTS] = False
    for image, text in zip(done.images, done.infotexts, strict=True):
        said = parse_generation_parameters(text)
        again = host.api(prompt=said["Prompt"], seed=int(said["Seed"])).images[0]
        assert again.pixels == image.pixels
    assert ("# mine" in prompts(done)[0]) is saved


COMMENTED = [
    "a corgi // with a hat, watercolor",
    "a corgi, watercolor // mine\nBREAK a fox /* soft, golden */ near a wall # last",
    "/* first */ a corgi /* one */ /* two */, watercolor",
    "// first\na corgi\n// second\nwatercolor\n",
]


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("prompt", COMMENTED)
def test_saved_prompts_keep_the_users_comments_and_have_the_tags(
    host: ForgeNeo, neo: Stage, prompt: str, first: bool
) -> None:
    host.opts.data[SAVE_COMMENTS] = True
    if first:
        host.txt2img.scripts.reverse()
    done = host.api(
        {**ON, "compare": True}, prompt=prompt, negative_prompt="blurry // mine", n_iter=2
    )
    assert len(done.infotexts) == 3
    for image, text in zip(done.images, done.infotexts, strict=True):
        said = parse_generation_parameters(text)
        found = [said["Prompt"].find(comment) for comment in comments_of(prompt)]
        assert -1 not in found
        assert found == sorted(found)
        assert "// mine" in said["Negative prompt"]
        again = host.api(
            prompt=said["Prompt"],
            negative_prompt=said["Negative prompt"],
            seed=int(said["Seed"]),
        ).images[0]
        assert again.pixels == image.pixels
    assert "<lora:corgi_dog" in strip_comments(prompts(done)[0])


@pytest.mark.parametrize(
    ("raw", "text", "joined"),
    [
        ("a // b", "a, c <x>", "a, c <x> // b"),
        ("a // b\nd", "a\nd, c <x>", "a // b\nd, c <x>"),
        ("a /* b */ AND d # e", "a <x>  AND d <y>", "a <x> /* b */ AND d <y> # e"),
        ("a, b /* c */, d", "a, b , d <x>", "a, b /* c */, d <x>"),
        ("a // b", "something else", "something else"),
        ("a", "a <x>", "a <x>"),
    ],
)
def test_comments_are_put_back_where_they_were(raw: str, text: str, joined: str) -> None:
    from stylus_ext.host.prompt_comments import with_comments

    assert with_comments(raw, text, strip_comments) == joined


def test_a_grid_with_saved_comments_tells_of_the_last_batch(host: ForgeNeo, neo: Stage) -> None:
    for saved, place in ((False, 0), (True, 4)):
        host.opts.data[SAVE_COMMENTS] = saved
        done = host.api(ON, prompt=PROMPT, n_iter=3, batch_size=2)
        said = parse_generation_parameters(done.grid)
        assert (
            said["Stylus mask"] == parse_generation_parameters(done.infotexts[place])["Stylus mask"]
        )
        assert said["Prompt"] == prompts(done)[place]


@pytest.mark.parametrize(
    "prompt", ["a corgi // with a hat, watercolor", "a corgi /* nice */, watercolor", "a corgi # x"]
)
def test_no_tag_stands_behind_a_comment(host: ForgeNeo, neo: Stage, prompt: str) -> None:
    done = host.api(ON, prompt=prompt)
    assert "corgi" in strip_comments(prompt)
    assert "<lora:corgi_dog" in prompts(done)[0]
    assert not [text for text in done.p.comments if "Another script" in text]


def test_a_name_that_nobody_lists_costs_no_other(host: ForgeNeo, neo: Stage) -> None:
    done = host.api(prompt="a corgi <lora:corgi_dog:1> <lora:nope:1>")
    assert done.images[0].pixels[2][2] == (("corgi_dog", 1.0),)


def test_a_file_that_is_gone_is_left_out(host: ForgeNeo, neo: Stage, tmp_path: Path) -> None:
    gone = SimpleNamespace(filename=str(tmp_path / "corgi_dog.safetensors"))
    host.loras.available_networks["corgi_dog"] = gone  # type: ignore[assignment]
    host.loras.available_network_aliases["corgi_dog"] = gone  # type: ignore[assignment]
    assert "corgi_dog" not in prompts(host.api(ON, prompt=PROMPT))[0]


PAIRS = ["fox_high_noise", "fox_low_noise", "owl_HIGH", "owl_LOW", "bee_low"]


def wan(host: ForgeNeo, monkeypatch: pytest.MonkeyPatch, title: str) -> None:
    host.load("Wan", monkeypatch, title)
    files = {stem: f"file of {stem}" for stem in PAIRS}
    for table in (host.loras.available_networks, host.loras.available_network_aliases):
        table.clear()
        table.update(files)


@pytest.mark.parametrize(
    ("title", "half"),
    [
        ("wan2.2_t2v_high_noise_14B", ["bee_low", "fox_high_noise", "owl_HIGH"]),
        ("wan2.2_t2v_low_noise_14B", ["bee_low", "fox_low_noise", "owl_LOW"]),
        ("my wan model", ["bee_low", "fox_high_noise", "owl_HIGH"]),
    ],
)
def test_of_a_pair_the_half_for_the_checkpoint_is_selected(
    host: ForgeNeo, neo: Stage, monkeypatch: pytest.MonkeyPatch, title: str, half: list[str]
) -> None:
    wan(host, monkeypatch, title)
    host.api(ON, prompt="a fox")
    assert sorted(neo.asked[0]["stems"]) == half


def test_other_families_have_no_pairs(
    host: ForgeNeo, neo: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    wan(host, monkeypatch, "a checkpoint")
    host.load("StableDiffusionXL", monkeypatch)
    host.api(ON, prompt="a fox")
    assert sorted(neo.asked[0]["stems"]) == sorted(PAIRS)


def test_a_half_that_the_refiner_would_keep_is_told(
    host: ForgeNeo, neo: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stylus_ext.core.generation import UsedAdapter
    from stylus_ext.host.wan import refiner_notes

    wan(host, monkeypatch, "wan2.2_t2v_high_noise_14B")
    used = [UsedAdapter(stem=stem, key=f"path:{stem}", name=stem) for stem in (*PAIRS, "owl_HIGH")]
    p = SimpleNamespace(refiner_checkpoint="wan2.2_t2v_low_noise_14B")
    notes = refiner_notes(p, used)
    assert [note.code for note in notes] == ["refiner_rule"]
    assert "owl_HIGH=owl_LOW" in notes[0].text
    host.opts.data["refiner_lora_replacement"] += "\nowl_HIGH=owl_LOW\n-other\nmore+1.0"
    assert refiner_notes(p, used) == []
    assert refiner_notes(SimpleNamespace(refiner_checkpoint=None), used) == []


@pytest.mark.parametrize(("engine", "batches"), [("Wan", [1, 5]), ("Anima", [5, 1])])
def test_a_video_is_not_made_in_several_batches(
    host: ForgeNeo, neo: Stage, monkeypatch: pytest.MonkeyPatch, engine: str, batches: list[int]
) -> None:
    host.load(engine, monkeypatch)
    done = host.api({**ON, "vary_inside_batch": True}, prompt="a fox", batch_size=5)
    assert [done.p.n_iter, done.p.batch_size] == batches

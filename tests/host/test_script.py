"""The real script in the host's double: what HOST.md (a), (b), (c), (d) and (h) say of a
generation.
"""

from __future__ import annotations

from typing import Any

import pytest

from stylus_ext.core.errors import DeadlineExceeded
from tests.host.double.fixtures import Stage
from tests.host.double.processing import (
    Processing,
    infotext,
    parse_generation_parameters,
    process_images,
)

ON = {"enabled": True}
PROMPT = "a corgi, watercolor"


def prompts(done: Any) -> list[str]:
    return [parse_generation_parameters(text)["Prompt"] for text in done.infotexts]


def texts_of(asked: dict[str, Any]) -> list[str]:
    return [texts["prompt"] for texts in asked["prompts"]]


def loaded(done: Any) -> list[tuple[str, ...]]:
    return [tuple(name for name, _ in image.pixels[2][2]) for image in done.images]


def test_it_is_off_by_default_and_changes_nothing(stage: Stage) -> None:
    """It runs for every call of the API."""
    done = stage.host.api(prompt=PROMPT, n_iter=2)
    assert prompts(done) == [PROMPT, PROMPT]
    assert "Stylus" not in done.infotexts[0]
    assert stage.asked == []
    assert stage.engine.started == 0


def test_tags_are_written_loaded_and_told(stage: Stage) -> None:
    done = stage.host.api(ON, prompt=PROMPT)
    assert prompts(done) == [f"{PROMPT} <lora:corgi_dog:0.75> <lora:watercolor_style:0.75>"]
    assert loaded(done) == [("corgi_dog", "watercolor_style")]
    params = parse_generation_parameters(done.infotexts[0])
    assert params["Stylus prompt"] == PROMPT
    assert params["Stylus mask"] == "+corgi_dog +watercolor_style"
    assert params["Stylus family"] == "sd1"


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("count", [1, 2, 3, 4])
@pytest.mark.parametrize("hires", [False, True])
def test_what_the_infotext_says_is_what_happened(
    stage: Stage, count: int, size: int, hires: bool
) -> None:
    """Every picture again, with Stylus off, from its own infotext."""
    done = stage.host.api(
        ON, prompt=PROMPT, negative_prompt="blurry", n_iter=count, batch_size=size, enable_hr=hires
    )
    assert len(done.images) == count * size
    for image, text in zip(done.images, done.infotexts, strict=True):
        assert stage.host.without_stylus(text, enable_hr=hires).pixels == image.pixels
        assert ("Lora hashes" in text) == ("<lora:" in text)


def test_one_set_for_each_batch_and_another_for_the_next(stage: Stage) -> None:
    found = loaded(stage.host.api(ON, prompt=PROMPT, n_iter=4, batch_size=2))
    assert [found[0], found[2], found[4], found[6]] == [found[1], found[3], found[5], found[7]]
    assert len(set(found)) == 3
    assert all(found)
    paper = loaded(stage.host.api({**ON, "diversity": "paper"}, prompt=PROMPT, n_iter=4))
    assert len(set(paper)) == 4
    assert () in paper


def test_the_grid_and_params_txt_say_the_same(stage: Stage) -> None:
    done = stage.host.api(ON, prompt=PROMPT, n_iter=2)
    assert done.p.main_prompt == prompts(done)[0]
    assert stage.host.params_txt == done.infotexts[0]
    assert "-corgi_dog" in done.infotexts[1] or "-watercolor_style" in done.infotexts[1]
    assert parse_generation_parameters(done.grid) == parse_generation_parameters(done.infotexts[0])


def test_varying_inside_a_batch_makes_batches_of_one(stage: Stage) -> None:
    done = stage.host.api({**ON, "vary_inside_batch": True}, prompt=PROMPT, n_iter=1, batch_size=3)
    assert (done.p.n_iter, done.p.batch_size, len(done.images)) == (3, 1, 3)
    assert len(set(loaded(done))) == 3
    for image, text in zip(done.images, done.infotexts, strict=True):
        assert stage.host.without_stylus(text).pixels == image.pixels


def test_several_pictures_in_img2img_stay_one_batch(stage: Stage) -> None:
    """The host refuses more pictures than the batch has places."""
    done = stage.host.api(
        {**ON, "vary_inside_batch": True}, prompt=PROMPT, batch_size=2, init_images=["one", "two"]
    )
    assert done.p.batch_size == 2


def test_a_hires_prompt_of_its_own_gets_its_own_set(stage: Stage) -> None:
    done = stage.host.api(ON, prompt=PROMPT, hr_prompt="a knight, oil", enable_hr=True, n_iter=3)
    for image, text in zip(done.images, done.infotexts, strict=True):
        said = parse_generation_parameters(text)
        assert "knight" not in said["Prompt"]
        assert stage.host.without_stylus(text, enable_hr=True).pixels == image.pixels
    first = parse_generation_parameters(done.infotexts[0])["Hires prompt"]
    assert first == "a knight, oil, full plate <lora:knight_armor:0.75> <lora:oil_painting:0.75>"


def test_the_same_hires_prompt_is_not_told_twice(stage: Stage) -> None:
    done = stage.host.api(ON, prompt=PROMPT, enable_hr=True, n_iter=2)
    assert all("Hires prompt" not in text for text in done.infotexts)
    assert done.p.all_hr_prompts == done.p.all_prompts


def test_a_callable_hires_prompt_is_replaced_by_what_it_should_say(stage: Stage) -> None:
    """A1111 1.10, reForge and Forge look into the lists at the picture's place in its own batch."""
    from stylus_ext.core.generation import Texts
    from stylus_ext.host.infotext import AppliedGeneration

    params: dict[str, Any] = {
        "Hires prompt": lambda **_: "theirs",
        "Hires negative prompt": lambda **_: "theirs",
    }
    p = Processing(stage.host, enable_hr=True, extra_generation_params=params)
    p.all_prompts, p.all_hr_prompts, p.all_negative_prompts, p.all_hr_negative_prompts = (
        ["a", "b"],
        ["a", "c"],
        ["", ""],
        ["", ""],
    )
    work = AppliedGeneration(Texts(("a", "b"), ("", ""), ("a", "c"), ("", "")), (), {})
    work.of_image(p, 0)
    assert params == {}
    work.of_image(p, 1)
    assert params == {"Hires prompt": "c"}


def test_negative_text_of_a_pick_reaches_both_passes(stage: Stage) -> None:
    done = stage.host.api(ON, prompt="a portrait", negative_prompt="blurry", enable_hr=True)
    said = parse_generation_parameters(done.infotexts[0])
    assert said["Negative prompt"] == "blurry, lowres"
    assert said["Stylus negative prompt"] == "blurry"
    assert done.p.all_hr_negative_prompts == ["blurry, lowres"]
    assert done.p.main_negative_prompt == "blurry, lowres"


def test_styles_are_in_the_prompt_before_it_is_planned(stage: Stage) -> None:
    done = stage.host.api(ON, prompt="a corgi", styles=["Painted"])
    assert texts_of(stage.asked[0]) == ["a corgi, oil painting"]
    assert loaded(done) == [("corgi_dog", "oil_painting")]


def test_different_prompts_are_planned_once_each(stage: Stage) -> None:
    texts = ["a corgi", "a knight", "a corgi", "a knight"]
    done = stage.host.api(ON, prompt=texts, n_iter=4)
    (asked,) = stage.asked
    assert (texts_of(asked), asked["images"]) == (["a corgi", "a knight"], [0, 1, 0, 1])
    assert asked["seeds"] == [1, 2, 3, 4]
    assert loaded(done)[:2] == [("corgi_dog",), ("knight_armor",)]


def test_prompts_that_differ_inside_a_batch_share_what_serves_all(stage: Stage) -> None:
    texts = ["a corgi, watercolor", "a knight, watercolor"]
    done = stage.host.api(ON, prompt=texts, batch_size=2)
    assert loaded(done) == [("watercolor_style",), ("watercolor_style",)]
    assert prompts(done) == [f"{text} <lora:watercolor_style:0.8>" for text in texts]
    for image, text in zip(done.images, done.infotexts, strict=True):
        assert stage.host.without_stylus(text).pixels == image.pixels
    assert any("Different LoRAs for each image" in note for note in done.p.comments)
    fields = parse_generation_parameters(done.infotexts[0])
    assert "Different LoRAs for each image" not in fields["Stylus notes"]


def test_a_shared_pick_has_one_weight_however_the_prompts_differ(stage: Stage) -> None:
    texts = ["a watercolor <lora:glass_skyscraper:1>", "a watercolor"]
    done = stage.host.api(ON, prompt=texts, batch_size=2)
    assert prompts(done) == [f"{text} <lora:watercolor_style:0.5>" for text in texts]


def test_the_selection_seed_follows_the_picture_or_is_ones_own(stage: Stage) -> None:
    stage.host.api(ON, prompt=PROMPT, seed=50, n_iter=3, batch_size=2)
    stage.host.api({**ON, "seed": 7}, prompt=PROMPT, seed=50, n_iter=3, batch_size=2)
    seeds = [list(range(first, first + 6)) for first in (50, 7)]
    assert [question["seeds"] for question in stage.asked] == seeds


def test_switched_off_networks_are_left_off_and_it_says_so(stage: Stage) -> None:
    done = stage.host.api(ON, prompt=PROMPT, disable_extra_networks=True)
    assert prompts(done) == [PROMPT]
    assert stage.asked == []
    assert (
        "Stylus did nothing: extra networks are switched off for this generation."
        in done.p.comments
    )


def test_an_interrupt_while_it_plans_is_heeded_at_once(stage: Stage) -> None:
    def stop() -> None:
        stage.host.state.interrupted = True

    stage.client.during = stop
    done = stage.host.api(ON, prompt=PROMPT, n_iter=2)
    assert done.images == []
    assert done.p.all_prompts == [PROMPT, PROMPT]
    assert any("interrupted" in text for text in done.p.comments)


def test_neither_addresses_nor_words_of_servers_get_into_a_picture(stage: Stage) -> None:
    from stylus_ext.core.errors import Note
    from stylus_ext.host.picture_facts import FACTS

    said = "The server at http://127.0.0.1:8000/v1 answered (buy more); see C:\\x and /home/jane"
    stage.client.notes = tuple(Note(code, said) for code in (*FACTS, "some_other"))
    done = stage.host.api(ON, prompt=PROMPT, n_iter=2, enable_hr=True)
    assert any(said in text for text in done.p.comments)
    for written in (*done.infotexts, str(done.p.extra_generation_params)):
        assert parse_generation_parameters(done.infotexts[0])["Stylus notes"] in written
        assert not [part for part in ("127.0", "buy", "jane", "C:") if part in written]


def test_an_engine_that_breaks_leaves_the_prompt_and_a_note(stage: Stage) -> None:
    from tests.host.double.planner import gone

    stage.client.trouble = gone()
    done = stage.host.api(ON, prompt=PROMPT, enable_hr=True)
    assert prompts(done) == [PROMPT]
    assert any("The engine ended while it planned." in text for text in done.p.comments)
    assert parse_generation_parameters(done.infotexts[0])["Stylus notes"]


def test_that_the_prompt_was_left_is_said_once(stage: Stage) -> None:
    stage.client.trouble = DeadlineExceeded(
        "The prompt was left as it was: its plan was not ready within 2 s."
    )
    done = stage.host.api(ON, prompt=PROMPT)
    left = "Stylus left the prompt as it was: its plan was not ready within 2 s."
    assert left in done.p.comments


def test_an_error_of_our_own_is_a_note_and_no_exception(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    stage.client.trouble = RuntimeError("a bug")
    done = stage.host.api(ON, prompt=PROMPT)
    assert prompts(done) == [PROMPT]
    assert any("an internal error" in text for text in done.p.comments)
    assert "could not choose" in caplog.text


def test_an_answer_that_cannot_be_read_is_told(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage.client, "generation", lambda *_: {"prompts": [], "images": [0]})
    done = stage.host.api(ON, prompt=PROMPT)
    assert prompts(done) == [PROMPT]
    assert any("Restart the WebUI fully" in text for text in done.p.comments)


def test_nothing_fits_is_said(stage: Stage) -> None:
    done = stage.host.api(ON, prompt="the sea")
    assert prompts(done) == ["the sea"]
    assert any("No LoRA here fits" in text for text in done.p.comments)


def test_a_set_that_was_chosen_by_words_only_says_so_in_its_picture(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first picture after a start may have another set than the next ones."""
    ask, notes = stage.client.generation, [{"code": "no_encoder", "text": "The encoder loads."}]
    before = stage.host.api(ON, prompt=PROMPT)
    monkeypatch.setattr(stage.client, "generation", lambda *given: {**ask(*given), "notes": notes})
    done = stage.host.api(ON, prompt=PROMPT)
    said, fields = (parse_generation_parameters(one.infotexts[0]) for one in (before, done))
    assert "Stylus notes" not in said
    assert fields["Stylus notes"]


def test_only_what_the_host_lists_may_be_picked(stage: Stage) -> None:
    del stage.host.loras.available_networks["corgi_dog"]
    done = stage.host.api(ON, prompt=PROMPT)
    assert "corgi_dog" not in stage.asked[0]["stems"]
    assert loaded(done) == [("watercolor_style",)]


def test_a_name_that_is_another_files_alias_is_not_picked(stage: Stage) -> None:
    """The host looks among aliases first (issue 14655 of A1111)."""
    stage.host.loras.available_network_aliases["corgi_dog"] = "file of another"
    stage.host.api(ON, prompt=PROMPT)
    assert "corgi_dog" not in stage.asked[0]["stems"]
    stage.host.loras.forbidden_network_aliases["corgi_dog"] = 1
    stage.host.api(ON, prompt=PROMPT)
    assert "corgi_dog" in stage.asked[1]["stems"]


def test_folders_are_read_when_the_list_changes_not_every_time(stage: Stage) -> None:
    for _ in range(2):
        stage.host.api(ON, prompt=PROMPT)
    stage.host.loras.available_networks["new_one"] = "file of new_one"
    stage.host.api(ON, prompt=PROMPT)
    assert [len(question["lora_dirs"]) for question in stage.asked] == [1, 0, 1]


def test_hashes_and_fields_of_an_earlier_batch_do_not_stay(stage: Stage) -> None:
    done = stage.host.api(ON, prompt=PROMPT, n_iter=4)
    for text in done.infotexts:
        said = parse_generation_parameters(text)
        assert ("Lora hashes" in said) == ("<lora:" in said["Prompt"])
        assert ("Stylus prompt" in said) == ("<lora:" in said["Prompt"])


def test_hooks_find_nothing_to_do_after_the_generation(stage: Stage) -> None:
    done = stage.host.api(ON, prompt=PROMPT)
    assert done.p.stylus_work is None


def test_a_prompt_of_several_lines_comes_back_whole(stage: Stage) -> None:
    text = 'a corgi: "good", yes\nin two lines'
    done = stage.host.api(ON, prompt=text)
    assert parse_generation_parameters(done.infotexts[0])["Stylus prompt"] == text
    assert stage.host.without_stylus(done.infotexts[0]).pixels == done.images[0].pixels


def test_the_infotext_of_the_double_is_what_the_host_writes(stage: Stage) -> None:
    p = Processing(stage.host, PROMPT, extra_generation_params={"Stylus prompt": PROMPT})
    process_images(p)
    assert infotext(p, p.all_prompts, p.all_negative_prompts, p.all_seeds, 0).endswith(
        f'Stylus prompt: "{PROMPT}", Version: v1.8.0'
    )


def test_a_mask_claims_nothing_beside_an_unreadable_tag(stage: Stage) -> None:
    """The host then loads no LoRA at all (HOST.md e)."""
    session = stage.planner.sessions.at("page-of-a-test-0001.txt2img")
    on = {**ON, "session_id": "page-of-a-test-0001.txt2img"}
    done = stage.host.api(on, prompt=f"{PROMPT} <lora:nope:abc>", n_iter=2)
    assert loaded(done) == [(), ()]
    for text in done.infotexts:
        assert "+" not in parse_generation_parameters(text).get("Stylus mask", "")
    assert session.made is not None
    codes = {note.code for note in session.made[0].notes}
    assert {"unreadable_tag", "not_loaded"} <= codes
    assert [picture.tags for picture in session.used()] == [(), ()]
    assert "unlisted" not in codes


def test_a_mask_claims_only_what_the_host_loaded(stage: Stage) -> None:
    def lose() -> None:
        stage.host.loras.available_networks.pop("corgi_dog", None)

    stage.client.during = lose
    done = stage.host.api(ON, prompt=PROMPT, n_iter=2)
    for text, stems in zip(done.infotexts, loaded(done), strict=True):
        mask = parse_generation_parameters(text)["Stylus mask"].split()
        assert {word[1:] for word in mask if word[0] == "+"} == set(stems)


@pytest.mark.parametrize("quiet", ["option", "flag"])
def test_a_host_that_writes_no_hashes_is_believed(stage: Stage, quiet: str) -> None:
    if quiet == "option":
        stage.host.opts.data["lora_add_hashes_to_infotext"] = False
    else:
        stage.host.cmd_opts.no_hashing = True
    done = stage.host.api(ON, prompt=f"{PROMPT} <lora:nope:abc>")
    assert "+corgi_dog" in parse_generation_parameters(done.infotexts[0])["Stylus mask"]

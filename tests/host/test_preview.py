"""Previews and what is done with them, through the real script and the page's own doors."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.errors import InvalidInput
from tests.host.double import page
from tests.host.double.fixtures import Stage
from tests.host.double.planner import gone

PROMPT = "a corgi on the glass roof, watercolor"
SESSION = "0123456789abcdef0123456789abcdef.txt2img"
CORGI, GLASS, WATER, OIL = (
    str(AdapterKey.path(stem))
    for stem in ("corgi_dog", "glass_skyscraper", "watercolor_style", "oil_painting")
)


def part(stage: Stage, name: str) -> Any:
    return stage.host.page.by_id(f"stylus_txt2img_{name}")


def preview(
    stage: Stage, prompt: str = PROMPT, session_id: str = SESSION, **values: Any
) -> dict[str, Any]:
    """Presses the button: the host's boxes and the panel's values as they stand."""
    stage.host.page.by_id("txt2img_prompt").value = prompt
    for name, value in {"seat": session_id, **values}.items():
        part(stage, name).value = value
    event = part(stage, "preview").events["click"]
    said: dict[str, Any] = json.loads(
        event.fn(page.Request(), *(component.value for component in event.inputs))
    )
    return said


def do(stage: Stage, name: str, session_id: str = SESSION, **payload: Any) -> dict[str, Any]:
    from stylus_ext.host.web.page import actions
    from stylus_ext.host.web.responses import ActionRequest

    answer = actions()[name].run(ActionRequest({"session_id": session_id, **payload}, stage.engine))
    assert isinstance(answer, dict)
    json.dumps(answer)
    return answer


def keys(said: dict[str, Any]) -> list[str]:
    return [pick["key"] for pick in said["view"]["picks"]]


def made(stage: Stage, prompt: str = PROMPT, session_id: str = SESSION, **fields: Any) -> Any:
    """Presses Generate in the page of that seat."""
    part(stage, "enabled-checkbox").value = True
    part(stage, "seat").value = session_id
    return stage.host.generate(prompt=prompt, **fields)


def test_a_preview_shows_what_the_next_picture_is_made_with_and_makes_none(stage: Stage) -> None:
    said = preview(stage)
    view = said["view"]
    assert keys(said) == [CORGI, GLASS, WATER]
    assert "".join(piece["text"] for piece in view["pieces"] if not piece["added"]) == PROMPT
    assert "".join(piece["text"] for piece in view["pieces"]) == view["prompt"]
    assert [task["text"] for task in view["tasks"]] == ["corgi", "glass", "watercolor"]
    assert [task["picks"] for task in view["tasks"]] == [[CORGI], [GLASS], [WATER]]
    assert view["picks"][0] | {"card": None} == {
        "key": CORGI,
        "name": "corgi_dog",
        "task": 2,
        "kind": "object",
        "reason": "its words stand there",
        "pinned": False,
        "user_weight": False,
        "kept": False,
        "weight": 0.5,
        "triggers": [],
        "stem": "corgi_dog",
        "on_disk": True,
        "to_download": 0,
        "lowered_from": 0.8,
        "schedule": [],
        "card": None,
    }
    assert view["cap"] == 1.5
    assert view["picks"][0]["card"]["key"] == CORGI
    assert view["family_name"] == "SD 1.5"
    assert not stage.host.errors
    assert made(stage).infotexts[0].startswith(view["prompt"])


def test_styles_are_applied_as_the_host_does_and_wildcards_marked(stage: Stage) -> None:
    from stylus_ext.host.planner import current_planner
    from stylus_ext.host.preview import look, preview_request
    from stylus_ext.host.values import PanelValues

    request = preview_request(
        ["a corgi in __place__, {red|blue}", "", ["Painted"], "-1", 2, 1, 20], PanelValues()
    )
    view = look(current_planner(), current_planner().sessions.at(SESSION), request)
    assert {pick["key"] for pick in view["picks"]} == {CORGI, OIL}
    assert [piece["text"] for piece in view["pieces"] if piece["unresolved"]] == [
        "__place__",
        "{red|blue}",
    ]
    assert len(view["combinations"]) == view["batches"] == 2
    assert view["exact"] is False


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a corgi", "a corgi"),
        ("a corgi", "a corgi <lora:x:1>"),
        ("a BREAK b", "a, t BREAK b, u <lora:x:1>"),
        ("", "<lora:x:1>"),
        ("a wall, a", "a (wall:1.1), a t"),
    ],
)
@pytest.mark.usefixtures("stage")
def test_what_is_added_to_a_prompt_is_marked(before: str, after: str) -> None:
    from stylus_ext.host.plan_view import _pieces

    shown = list(_pieces(before, after))
    assert "".join(piece["text"] for piece in shown) == after
    assert "".join(piece["text"] for piece in shown if not piece["added"]) == before


def test_a_weight_that_no_limit_lowers_is_told_as_it_is(stage: Stage) -> None:
    picks = preview(stage, "a corgi")["view"]["picks"]
    assert [(pick["weight"], pick["lowered_from"]) for pick in picks] == [(0.8, None)]


def test_a_pick_of_the_preview_is_wrong_for_its_prompt(stage: Stage) -> None:
    with pytest.raises(InvalidInput):
        do(stage, "wrong", key=CORGI)
    preview(stage)
    do(stage, "wrong", key=CORGI)
    assert ("/v1/verdict", {"key": CORGI, "prompt": PROMPT, "wrong": True}) in stage.client.told


def test_combinations_are_those_of_the_batches_that_follow(stage: Stage) -> None:
    from stylus_ext.host.planner import current_planner
    from stylus_ext.host.preview import look, preview_request
    from stylus_ext.host.values import PanelValues

    request = preview_request([PROMPT, "", None, 7, 4, 1, 20], PanelValues(session_id=SESSION))
    view = look(current_planner(), current_planner().sessions.at(SESSION), request)
    assert view["exact"] is True
    done = made(stage, seed=7, n_iter=4)
    stems = [
        {name.split(":")[1] for name in text.split("<")[1:] if name.startswith("lora")}
        for text in done.infotexts
    ]
    assert stems == [set(names) for names in view["combinations"]]


@pytest.mark.parametrize("odd", ["", "abc", None, "1e400", -5, 2**80])
def test_odd_boxes_are_read_all_the_same(odd: Any, stage: Stage) -> None:
    from stylus_ext.host.preview import preview_request
    from stylus_ext.host.values import PanelValues

    request = preview_request([None, None, odd, odd, odd, odd, odd], PanelValues())
    assert request.prompt == ""
    assert request.batches >= 1
    assert all(0 <= seed < 2**63 for seed in request.seeds())


def test_a_rejected_one_stays_away_from_the_picture_too_and_that_is_said(stage: Stage) -> None:
    preview(stage)
    said = do(stage, "correct", act="reject", key=CORGI)
    assert keys(said) == [GLASS, WATER]
    assert said["corrected"] is True
    assert [miss["mine"] for miss in said["view"]["near"] if miss["key"] == CORGI] == [True]
    done = made(stage)
    assert "corgi_dog" not in done.infotexts[0].replace("Stylus mask", "")
    assert "Stylus used your corrected preview." in " ".join(done.p.comments)
    assert "Stylus kept: corrected" in done.infotexts[0]
    assert keys(do(stage, "correct", act="restore", key=CORGI)) == [CORGI, GLASS, WATER]


def codes(stage: Stage) -> list[str]:
    work, _ = stage.planner.sessions.at(SESSION).made
    return [note.code for note in work.notes]


def test_another_prompt_is_planned_anew_and_that_is_said_once(stage: Stage) -> None:
    preview(stage)
    do(stage, "correct", act="reject", key=CORGI)
    assert "<lora:corgi_dog" in made(stage, "a corgi").infotexts[0]
    assert "planned_anew" in codes(stage)
    made(stage, "a corgi")
    assert "planned_anew" not in codes(stage)


def test_a_prompt_that_is_put_back_has_its_corrections_again(stage: Stage) -> None:
    first = preview(stage)
    do(stage, "correct", act="reject", key=CORGI)
    made(stage, "a corgi")
    made(stage)
    assert codes(stage) == ["corrected"]
    assert keys(preview(stage, "a corgi")) == [CORGI]
    assert do(stage, "preview")["corrected"] is False
    back = do(stage, "recall", made_for={**first["made_for"], "strength": 1})
    assert keys(back) == [GLASS, WATER]
    assert back["corrected"] is True
    assert keys(do(stage, "correct", act="restore", key=CORGI)) == [CORGI, GLASS, WATER]
    assert keys(preview(stage, "a corgi")) == [CORGI]
    assert keys(preview(stage)) == [CORGI, GLASS, WATER]


def test_corrections_that_were_undone_do_not_come_back(stage: Stage) -> None:
    preview(stage)
    do(stage, "correct", act="reject", key=CORGI)
    preview(stage, "a corgi")
    preview(stage)
    do(stage, "correct", act="afresh")
    preview(stage, "a corgi")
    assert keys(preview(stage)) == [CORGI, GLASS, WATER]


def test_what_is_not_known_is_not_recalled(stage: Stage) -> None:
    said = preview(stage)
    other = {**said["made_for"], "prompt": "something else"}
    unknown: tuple[Any, ...] = (None, {}, {"prompt": []}, other)
    for made_for in unknown:
        again = do(stage, "recall", made_for=made_for)
        assert again["made_for"] == said["made_for"]


def test_a_preview_of_other_settings_is_told_of(stage: Stage) -> None:
    preview(stage)
    part(stage, "max_adapters").value = 1
    made(stage)
    assert "planned_anew" in codes(stage)


def test_another_base_model_is_planned_anew_and_that_is_said(stage: Stage) -> None:
    assert preview(stage)["other_model"] is False
    do(stage, "correct", act="reject", key=CORGI)
    stage.host.model.is_sd1, stage.host.model.is_sdxl = False, True
    assert do(stage, "preview")["other_model"] is True
    made(stage)
    assert "planned_anew" in codes(stage)
    stage.host.model.is_sd1, stage.host.model.is_sdxl = True, False
    made(stage)
    assert codes(stage) == ["corrected"]


def test_trouble_leaves_the_preview_that_stands(stage: Stage) -> None:
    said = preview(stage)
    stage.client.trouble = gone()
    assert preview(stage, "a corgi")["error"]
    stage.client.trouble = None
    again = do(stage, "preview")
    assert again["made_for"] == said["made_for"]
    assert keys(again) == keys(said)


def test_a_weight_is_written_as_it_was_said(stage: Stage) -> None:
    preview(stage, strength=0.5)
    said = do(stage, "correct", act="weight", key=WATER, weight=0.35)
    assert {pick["key"]: pick["weight"] for pick in said["view"]["picks"]}[WATER] == 0.35
    assert "<lora:watercolor_style:0.35>" in made(stage).infotexts[0]


def test_a_near_one_is_put_in_and_kept(stage: Stage) -> None:
    preview(stage, max_adapters=4)
    said = do(stage, "correct", act="accept", key=OIL)
    assert OIL in keys(said)
    assert [pick["kept"] for pick in said["view"]["picks"] if pick["key"] == OIL] == [True]
    assert "<lora:oil_painting:" in made(stage).infotexts[0]
    assert keys(do(stage, "correct", act="afresh")) == [CORGI, GLASS, WATER]


def test_swaps_are_sent_as_such_and_any_word_takes_the_place_of_the_one_before(
    stage: Stage,
) -> None:
    preview(stage)
    do(stage, "correct", act="reject", key=CORGI)
    do(stage, "correct", act="swap", key=CORGI)
    words = stage.asked[-1]["corrections"]
    assert (words["reject"], words["swap"], words["keep"]) == ([], [CORGI], [])
    do(stage, "correct", act="accept", key=CORGI)
    assert stage.asked[-1]["corrections"] == {
        "reject": [],
        "swap": [],
        "keep": [{"key": CORGI}],
        "only": False,
    }


def test_a_swap_without_an_alternative_keeps_the_pick(stage: Stage) -> None:
    preview(stage)
    do(stage, "correct", act="weight", key=CORGI, weight=0.3)
    said = do(stage, "correct", act="swap", key=CORGI)
    assert keys(said) == [CORGI, GLASS, WATER]
    assert said["view"]["picks"][0]["weight"] == 0.3
    assert said["view"]["notes"]
    assert stage.asked[-1]["corrections"]["swap"] == []


def test_a_swap_with_an_alternative_takes_it(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from stylus_ext.core.plan import from_json, to_json

    preview(stage, "a corgi")
    plain = stage.client.generation

    def generation(payload: Any, deadline_s: float, interrupted: Any) -> Any:
        answer = plain(payload, deadline_s, interrupted)
        plan = from_json(answer["plans"][0])
        pick = replace(plan.composition.picks[0], key=AdapterKey.parse(OIL), name="oil_painting")
        composition = replace(plan.composition, picks=(pick,))
        tags = (replace(plan.tags[0], key=pick.key, stem="oil_painting"),)
        return {**answer, "plans": [to_json(replace(plan, composition=composition, tags=tags))]}

    def swapped(payload: Any, deadline_s: float, interrupted: Any) -> Any:
        without = {**payload, "corrections": None}
        return generation(without, deadline_s, interrupted)

    monkeypatch.setattr(stage.client, "generation", swapped)
    said = do(stage, "correct", act="swap", key=CORGI)
    assert keys(said) == [OIL]
    assert said["corrected"] is True
    assert said["view"]["notes"] == []


def test_a_locked_set_is_used_for_any_prompt_until_it_is_taken_off(stage: Stage) -> None:
    preview(stage)
    do(stage, "correct", act="reject", key=GLASS)
    said = do(stage, "lock", on=True)
    assert [one["key"] for one in said["lock"]] == [CORGI, WATER]
    done = made(stage, "a ship", n_iter=3)
    assert all(
        "<lora:corgi_dog:0.75> <lora:watercolor_style:0.75>" in text for text in done.infotexts
    )
    assert "Stylus used the locked set." in " ".join(done.p.comments)
    assert "Stylus kept: locked" in done.infotexts[0]
    assert do(stage, "lock", on=False)["lock"] is None
    assert "<lora:" not in made(stage, "a ship").infotexts[0]


def test_a_lock_is_weighed_and_emptied_and_nothing_else(stage: Stage) -> None:
    preview(stage)
    do(stage, "lock", on=True)
    said = do(stage, "correct", act="weight", key=CORGI, weight=0.2)
    assert [(one["key"], one["weight"]) for one in said["lock"]] == [
        (CORGI, 0.2),
        (GLASS, 0.5),
        (WATER, 0.5),
    ]
    with pytest.raises(InvalidInput, match="locked"):
        do(stage, "correct", act="swap", key=CORGI)
    for key in (CORGI, GLASS):
        do(stage, "correct", act="reject", key=key)
    assert do(stage, "correct", act="reject", key=WATER)["lock"] is None


def test_a_lock_goes_off_by_itself_with_another_base_model(stage: Stage) -> None:
    preview(stage)
    do(stage, "lock", on=True)
    stage.host.model.is_sd1, stage.host.model.is_sdxl = False, True
    done = made(stage, "a ship")
    assert "The locked set was made for another base model, so it was unlocked." in " ".join(
        done.p.comments
    )
    assert do(stage, "preview")["lock"] is None


def test_a_page_that_is_loaded_again_finds_all_of_it_and_another_page_none(stage: Stage) -> None:
    preview(stage)
    do(stage, "lock", on=True)
    stage.host.start()
    again = do(stage, "preview")
    assert keys(again) == [CORGI, GLASS, WATER]
    assert again["lock"]
    other = do(stage, "preview", session_id="f" * 32 + ".txt2img")
    assert (other["view"], other["lock"], other["used"]) == (None, None, [])
    assert "<lora:" not in made(stage, "a ship", session_id="f" * 32 + ".txt2img").infotexts[0]


@pytest.mark.parametrize(
    "session_id",
    [
        "",
        "short.txt2img",
        "0" * 32,
        "0" * 32 + ".other",
        "0" * 99 + ".txt2img",
        "../" + "0" * 32 + ".txt2img",
    ],
)
def test_who_does_not_say_which_page_it_is_gets_nothing(stage: Stage, session_id: str) -> None:
    with pytest.raises(InvalidInput, match="reload"):
        do(stage, "preview", session_id=session_id)
    assert "reload" in preview(stage, session_id=session_id)["error"]


def test_tags_are_written_into_the_prompt_and_exactly_those_taken_back(stage: Stage) -> None:
    preview(stage, "a knight on the roof")
    said = do(stage, "send", text="a knight on the roof")
    assert said["text"] == "a knight on the roof, full plate <lora:knight_armor:0.8>"
    assert said["sent"] is True
    assert do(stage, "take_back", text=said["text"])["text"] == "a knight on the roof"
    with pytest.raises(InvalidInput, match="written"):
        do(stage, "take_back", text="x")
    do(stage, "send", text="a knight on the roof")
    mine = (
        "two of: a knight on the roof, full plate <lora:knight_armor:0.8>, at night <lora:mine:1>"
    )
    assert (
        do(stage, "take_back", text=mine)["text"]
        == "two of: a knight on the roof, at night <lora:mine:1>"
    )


def test_with_styles_only_what_the_plan_adds_is_written(stage: Stage) -> None:
    from stylus_ext.host.planner import current_planner
    from stylus_ext.host.preview import look, preview_request
    from stylus_ext.host.values import PanelValues

    look(
        current_planner(),
        current_planner().sessions.at(SESSION),
        preview_request(["a corgi", "", ["Painted"], 1, 1, 1, 20], PanelValues()),
    )
    assert (
        do(stage, "send", text="a corgi")["text"]
        == "a corgi <lora:corgi_dog:0.75> <lora:oil_painting:0.75>"
    )


def test_a_prompt_that_was_changed_since_is_not_written_into(stage: Stage) -> None:
    preview(stage)
    with pytest.raises(InvalidInput, match="changed"):
        do(stage, "send", text="something else")
    preview(stage, "a ship")
    with pytest.raises(InvalidInput, match="nothing"):
        do(stage, "send", text="a ship")


def test_what_was_sent_is_not_added_once_more_and_rejections_go_on(stage: Stage) -> None:
    preview(stage)
    do(stage, "correct", act="reject", key=CORGI)
    text = do(stage, "send", text=PROMPT)["text"]
    done = made(stage, text)
    assert done.infotexts[0].count("<lora:") == 2
    assert "corgi_dog" not in done.infotexts[0].replace("Stylus mask", "")


def test_after_a_generation_each_picture_says_what_it_was_made_with(stage: Stage) -> None:
    done = made(stage, seed=5, n_iter=3)
    used = do(stage, "preview")["used"]
    assert [one["seed"] for one in used] == [5, 6, 7]
    for one, text in zip(used, done.infotexts, strict=True):
        assert [f"<lora:{tag['stem']}:{tag['weight']:g}>" in text for tag in one["tags"]] == [
            True
        ] * len(one["tags"])
        assert len(one["tags"]) + len(one["off"]) == 3
        assert all(tag["card"]["key"] == tag["key"] for tag in one["tags"])


def test_a_used_set_is_locked(stage: Stage) -> None:
    made(stage, seed=5, n_iter=3)
    used = do(stage, "preview")["used"]
    image = next(place for place, one in enumerate(used) if 0 < len(one["tags"]) < 3)
    locked = do(stage, "use_set", image=image)["lock"]
    assert [(one["key"], one["weight"]) for one in locked] == [
        (tag["key"], tag["weight"]) for tag in used[image]["tags"]
    ]
    again = made(stage, "a ship")
    assert [tag["stem"] for tag in do(stage, "preview")["used"][0]["tags"]] == [
        tag["stem"] for tag in used[image]["tags"]
    ]
    assert "locked" in " ".join(again.p.comments)


def test_what_was_wrong_is_told_to_the_engine_with_the_prompt_before_stylus(stage: Stage) -> None:
    made(stage)
    said = do(stage, "wrong", image=0, key=CORGI)
    assert ("/v1/verdict", {"key": CORGI, "prompt": PROMPT, "wrong": True}) in stage.client.told
    assert said["times"] == 1
    for image in (9, -1, None, "0"):
        with pytest.raises(InvalidInput, match="picture"):
            do(stage, "wrong", image=image, key=CORGI)


def test_what_another_script_overwrote_was_not_used(stage: Stage) -> None:
    made(stage)
    work, _ = stage.planner.sessions.at(SESSION).made
    assert do(stage, "preview")["used"]
    work.lost = True
    assert do(stage, "preview")["used"] == []


def test_pinning_and_banning_are_the_catalogues_own_states(stage: Stage) -> None:
    preview(stage)
    said = do(stage, "mark", key=CORGI, state="never")
    assert ("/v1/edit", {"key": CORGI, "state": "never"}) in stage.client.told
    assert said["view"]["picks"][0]["card"]["state"] == "never"
    with pytest.raises(InvalidInput):
        do(stage, "mark", key=CORGI, state="sometimes")


def test_a_picture_to_compare_with_has_the_first_ones_seed_and_none_of_the_set(
    stage: Stage,
) -> None:
    part(stage, "compare").value = True
    done = made(stage, seed=5, n_iter=2)
    assert len(done.images) == 3
    base = done.images[2]
    assert base.pixels[0] == done.images[0].pixels[0] == 5
    assert "<lora:" not in done.infotexts[2]
    assert "Lora hashes" not in done.infotexts[2]
    assert "Stylus mask: -corgi_dog -glass_skyscraper -watercolor_style" in done.infotexts[2]
    assert any("to compare with" in text for text in done.p.comments)
    assert stage.host.without_stylus(done.infotexts[2]).pixels == base.pixels
    assert do(stage, "preview")["used"][2]["tags"] == []


def test_comparing_goes_with_hires_and_batches_of_several(stage: Stage) -> None:
    part(stage, "compare").value = True
    done = made(stage, seed=5, n_iter=2, batch_size=2, enable_hr=True)
    assert len(done.images) == 6
    assert [image.pixels[0] for image in done.images] == [5, 6, 7, 8, 5, 6]
    assert all("<lora:" not in text for text in done.infotexts[4:])
    assert all("<lora:" in text for text in done.infotexts[:2])


def test_where_nothing_is_chosen_there_is_nothing_to_compare(stage: Stage) -> None:
    part(stage, "compare").value = True
    assert len(made(stage, "a ship", n_iter=2).images) == 2


def test_trouble_is_said_and_nothing_is_lost(stage: Stage) -> None:
    preview(stage)
    stage.client.trouble = gone()
    assert preview(stage)["error"] == "The engine ended while it planned."
    stage.client.trouble = None
    assert keys(do(stage, "preview")) == [CORGI, GLASS, WATER]
    with pytest.raises(InvalidInput, match="sing"):
        do(stage, "correct", act="sing", key=CORGI)
    for weight in ("much", 9, True, None):
        with pytest.raises(InvalidInput, match="number"):
            do(stage, "correct", act="weight", key=CORGI, weight=weight)


def test_before_a_preview_there_is_nothing_to_correct_or_lock(stage: Stage) -> None:
    with pytest.raises(InvalidInput, match="Preview"):
        do(stage, "correct", act="reject", key=CORGI)
    with pytest.raises(InvalidInput, match="Preview"):
        do(stage, "lock", on=True)


def test_a_paste_leaves_the_page_its_seat(stage: Stage) -> None:
    done = made(stage)
    stage.host.paste(done.infotexts[0])
    assert part(stage, "seat").value == SESSION


def test_the_longest_unused_of_many_trays_is_forgotten() -> None:
    from stylus_ext.host.preview_sessions import PreviewSessions

    sessions = PreviewSessions(most=3)
    names = [f"{number:032x}.txt2img" for number in range(5)]
    first = [sessions.at(session_id) for session_id in names]
    assert sessions.at(names[4]) is first[4]
    assert sessions.at(names[0]) is not first[0]
    assert sessions.of("nonsense") is None


def test_what_costs_money_is_behind_the_guard_for_a_preview_too(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stylus_ext.host.guard import RequestKind
    from stylus_ext.host.web.page import actions

    preview(stage)
    monkeypatch.setattr(
        type(stage.planner.permissions), "kind", lambda self, composer: RequestKind.SPEND
    )
    for name in ("correct", "lock", "use_set"):
        assert actions()[name].wants({"session_id": SESSION}) is RequestKind.SPEND
    assert actions()["mark"].wants({"session_id": SESSION}) is RequestKind.CHANGE
    stage.host.cmd_opts.listen = True
    assert "spends money" in preview(stage)["error"]


@pytest.mark.parametrize("free", [False, True])
def test_a_reranker_that_costs_money_is_behind_the_guard_for_a_preview_too(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, free: bool
) -> None:
    from stylus_ext.host.guard import RequestKind
    from stylus_ext.host.web.page import actions

    preview(stage)
    policies = ["hybrid", "rerank"] if free else ["hybrid"]
    monkeypatch.setattr(
        stage.client,
        "status",
        lambda: {
            "capabilities": {
                "composers": ["rules"],
                "free_composers": ["rules"],
                "free_policies": policies,
            }
        },
    )
    stage.host.opts.data["stylus_selection_policy"] = "rerank"
    for name in ("correct", "lock", "use_set", "rehearse"):
        assert actions()[name].wants({"session_id": SESSION}) is (
            RequestKind.PLAN if free else RequestKind.SPEND
        ), name
    stage.host.cmd_opts.listen = True
    asked = len(stage.asked)
    said = preview(stage)
    assert ("error" in said) is not free
    assert len(stage.asked) == asked + free
    if not free:
        assert "spends money" in said["error"]


def test_what_would_be_fetched_is_shown_with_its_size_and_nothing_is_fetched(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from stylus_ext.core.plan import MissingFile, from_json, to_json

    plain = stage.client.generation

    def generation(payload: Any, deadline_s: float, interrupted: Any) -> Any:
        answer = plain(payload, deadline_s, interrupted)
        made = from_json(answer["plans"][0])
        tags = tuple(replace(tag, on_disk=tag.stem != "corgi_dog") for tag in made.tags)
        missing = (MissingFile(made.tags[0].key, "Corgi", "corgi.safetensors", 150_000_000),)
        return {**answer, "plans": [to_json(replace(made, tags=tags, missing=missing))]}

    monkeypatch.setattr(stage.client, "generation", generation)
    monkeypatch.setattr(type(stage.planner.permissions), "barred", lambda self: "")
    picks = preview(stage, downloads=True)["view"]["picks"]
    assert [(pick["on_disk"], pick["to_download"]) for pick in picks] == [
        (False, 150_000_000),
        (True, 0),
        (True, 0),
    ]
    assert stage.asked[-1]["downloads"] is True
    assert "fetch" not in str(stage.client.told)


def test_a_picture_beside_the_file_is_told_of(stage: Stage, tmp_path: Any) -> None:
    (tmp_path / "corgi_dog.png").write_bytes(b"x")
    file = str(tmp_path / "corgi_dog.safetensors")
    for table in (stage.host.loras.available_networks, stage.host.loras.available_network_aliases):
        table["corgi_dog"] = file
    answers = stage.client.ask

    def ask(method: str, path: str, payload: Any = None, timeout_s: float = 10.0) -> Any:
        said = answers(method, path, payload, timeout_s)
        for key, card in said.get("cards", {}).items():
            card["stem"] = AdapterKey.parse(key).value
        return said

    stage.client.ask = ask
    assert [pick["card"]["picture"] for pick in preview(stage)["view"]["picks"]] == [
        True,
        False,
        False,
    ]


def test_a_stop_that_was_meant_for_the_last_picture_stops_no_preview(stage: Stage) -> None:
    stage.host.state.interrupted = True
    assert keys(preview(stage)) == [CORGI, GLASS, WATER]
    assert stage.host.state.texts == []
    assert stage.asked[-1]["lora_dirs"]
    preview(stage, "a corgi")
    assert stage.asked[-1]["lora_dirs"] == []

"""Which LoRA acts in which steps."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.composition import Composition, Mask, Pick, Tag, Task
from stylus_ext.core.entry import KINDS
from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.prompt.parse import parse_prompt
from stylus_ext.core.schedules import (
    HostSteps,
    Part,
    Schedule,
    Turn,
    pick_schedules,
    schedule_from_json,
    schedule_text,
    schedules_in_text,
    turns,
    weight_at,
)
from stylus_ext.core.settings import COMBINATIONS, Settings, with_values
from stylus_ext.core.tags import TagInputs, own_weight, weigh

MODES = st.sampled_from(COMBINATIONS)
HOSTS = st.builds(HostSteps, st.integers(1, 60), st.integers(0, 30))
CHANGING = ("switch", "windows", "weighted-switch")


def key(number: int) -> AdapterKey:
    return AdapterKey.civitai(number)


@st.composite
def parts(draw: st.DrawFn) -> list[Part]:
    kinds = draw(st.lists(st.sampled_from(KINDS), max_size=6))
    return [Part(key(at), kind, draw(st.floats(1, 50))) for at, kind in enumerate(kinds)]


def shares(found: tuple[Turn, ...]) -> Counter[AdapterKey]:
    time = Counter[AdapterKey]()
    for turn in found:
        time.update(dict.fromkeys(turn.on, turn.end - turn.start))
    return time


@given(MODES, parts(), st.integers(1, 50), HOSTS)
def test_turns_cover_all_steps_within_what_the_host_can_do(
    mode: str, given_parts: list[Part], every: int, host: HostSteps
) -> None:
    found = turns(mode, given_parts, every, host)
    if not found:
        return
    assert [turn.start for turn in found] == [0, *(turn.end for turn in found[:-1])]
    assert found[-1].end == host.steps
    assert all(turn.on and turn.start < turn.end for turn in found)
    assert len(found) - 1 <= min(host.changes, host.steps - 1)
    assert set(shares(found)) == {part.key for part in given_parts}
    assert found == turns(mode, given_parts, every, host)


@given(st.sampled_from(["switch", "weighted-switch"]), parts(), st.integers(1, 50), HOSTS)
def test_one_acts_at_a_time_and_their_shares_are_the_whole(
    mode: str, given_parts: list[Part], every: int, host: HostSteps
) -> None:
    found = turns(mode, given_parts, every, host)
    if found:
        assert all(len(turn.on) == 1 for turn in found)
        assert sum(shares(found).values()) == host.steps
    elif len(given_parts) > 1:
        assert min(host.changes + 1, host.steps) < len(given_parts)


@given(st.sampled_from(CHANGING), st.sampled_from(KINDS), HOSTS)
def test_one_lora_acts_all_the_time(mode: str, kind: str, host: HostSteps) -> None:
    assert turns(mode, [Part(key(1), kind)], 5, host) == ()


TWENTY = HostSteps(20, 19)
THREE = [Part(key(1), "style"), Part(key(2), "clothing"), Part(key(3), "character")]


def acting(found: tuple[Turn, ...]) -> list[tuple[int, str]]:
    return [(turn.start, "".join(sorted(each.value for each in turn.on))) for turn in found]


def test_switch_follows_the_order_of_kinds_every_n_steps() -> None:
    assert acting(turns("switch", THREE, 5, TWENTY)) == [(0, "3"), (5, "2"), (10, "1"), (15, "3")]


def test_a_switch_is_shorter_where_the_steps_are_few_and_longer_where_changes_cost() -> None:
    assert acting(turns("switch", THREE, 5, HostSteps(6, 5))) == [(0, "3"), (2, "2"), (4, "1")]
    assert len(turns("switch", THREE, 1, HostSteps(20, 3))) == 4
    assert turns("switch", THREE, 5, HostSteps(20, 1)) == ()


def test_windows_have_the_layout_first_and_style_last() -> None:
    assert acting(turns("windows", THREE, 5, TWENTY)) == [(0, "23"), (8, "123"), (12, "1")]
    assert acting(turns("windows", THREE, 5, HostSteps(20, 1))) == [(0, "23"), (10, "1")]
    unknown = [*THREE, Part(key(4), "unknown")]
    assert all(key(4) in turn.on for turn in turns("windows", unknown, 5, TWENTY))
    assert turns("windows", THREE[1:], 5, TWENTY) == ()


def test_auto_merges_two_and_then_takes_windows_or_switch() -> None:
    assert turns("auto", THREE[:2], 5, TWENTY) == ()
    assert turns("auto", THREE, 5, TWENTY) == turns("windows", THREE, 5, TWENTY)
    styles = [replace(part, kind="style") for part in THREE]
    assert turns("auto", styles, 5, TWENTY) == turns("switch", styles, 5, TWENTY)


def test_more_influence_is_more_time() -> None:
    weighted = [
        replace(part, influence=value) for part, value in zip(THREE, (1, 1, 6), strict=True)
    ]
    time = shares(turns("weighted-switch", weighted, 1, TWENTY))
    assert time[key(3)] > 2 * time[key(1)]
    assert time[key(1)] == time[key(2)] > 0


def inputs(
    text: str = "a fox in a coat, oil painting",
    kinds: tuple[str, ...] = ("animal", "clothing", "style"),
    tool: tuple[int, ...] = (),
    **values: object,
) -> TagInputs:
    prompt = parse_prompt(text)
    words = ("fox", "coat", "painting")
    tasks = [Task(word, text.index(word), text.index(word) + len(word)) for word in words]
    picks = [
        Pick(key(at), task.start, f"{at}", 0.8, "fits", kind, tool=at in tool)
        for at, (task, kind) in enumerate(zip(tasks, kinds, strict=True))
    ]
    settings = with_values(Settings(), {"combination": {"combine": "switch", **values}})
    tags = {pick.key: Tag(pick.key, f"file{pick.name}", True, ("words",)) for pick in picks}
    composition = Composition(tuple(tasks), tuple(picks))
    return TagInputs(prompt, parse_prompt(""), composition, tags, settings)


ALL = Mask(frozenset({key(0), key(1), key(2)}))


def sums(schedules: dict[AdapterKey, Schedule], steps: int) -> list[float]:
    found = schedules.values()
    return [sum(abs(weight_at(each, step, steps)) for each in found) for step in range(steps)]


@given(
    st.sampled_from(CHANGING),
    HOSTS,
    st.floats(0.2, 3),
    st.sampled_from(["", " <lora:own:0.6>", " <lora:own:1.4>"]),
    st.integers(1, 60),
)
def test_something_acts_in_every_step_of_every_pass_within_the_limit(
    mode: str, host: HostSteps, cap: float, own: str, steps: int
) -> None:
    made = inputs("a fox in a coat, oil painting" + own, combine=mode)
    limits = with_values(made.settings, {"weights": {"total_cap": cap}})
    made = replace(made, settings=limits)
    found = pick_schedules([made], ALL, host)
    room = max(0.0, cap - own_weight(made.prompt.user_tags))
    for total in sums(found, steps) if found else ():
        assert 0 < total <= room + 1e-9


def test_one_that_acts_alone_has_the_weight_that_it_has_alone() -> None:
    found = pick_schedules([inputs()], ALL, TWENTY)
    merged = weigh(inputs().composition, ALL, Settings().weights)
    assert set(sums(found, 20)) == {0.8}
    assert all(weight < 0.8 for weight in merged.values())


def test_tools_act_all_the_time_and_take_their_room() -> None:
    found = pick_schedules([inputs(tool=(1,))], ALL, TWENTY)
    assert set(found) == {key(0), key(2)}
    assert max(sums(found, 20)) <= 1.5 - 0.5


def test_nothing_is_scheduled_for_a_host_that_cannot_do_it() -> None:
    assert pick_schedules([inputs()], ALL, None) == {}
    assert pick_schedules([inputs(combine="merge")], ALL, TWENTY) == {}
    assert pick_schedules([inputs()], Mask(frozenset({key(0)})), TWENTY) == {}


def test_prompts_of_one_batch_share_the_smallest_weights() -> None:
    other = inputs("a fox in a coat, oil painting <lora:own:1.2>")
    found = pick_schedules([inputs(), other], ALL, TWENTY)
    assert max(sums(found, 20)) <= 0.3


def test_attention_in_the_prompt_is_influence() -> None:
    text = "a (fox:1.9) in a coat, oil painting"
    plain, strong = (
        pick_schedules([inputs(words, combine="weighted-switch", switch_steps=1)], ALL, TWENTY)
        for words in (text.replace(":1.9", ":1"), text)
    )
    times = [
        sum(weight_at(found[key(0)], step, 20) > 0 for step in range(20))
        for found in (plain, strong)
    ]
    assert times[0] < times[1]


POINTS = st.lists(
    st.tuples(st.integers(0, 100), st.integers(-200, 200)),
    min_size=1,
    max_size=5,
    unique_by=lambda p: p[0],
)


@given(st.dictionaries(st.sampled_from(["a", "b c", "c, d-1.5"]), POINTS))
def test_an_infotext_has_the_schedules_back(drawn: dict[str, list[tuple[int, int]]]) -> None:
    schedules = {
        stem: tuple(
            sorted({0.0: 0.0, **{time / 100: weight / 100 for time, weight in points}}.items())
        )
        for stem, points in drawn.items()
    }
    assert schedules_in_text(schedule_text(schedules)) == schedules
    assert "," not in schedule_text({"a": schedules.get("a", ((0.0, 1.0),))})


@pytest.mark.parametrize("text", ["", "a", "a 1", "a x@0", "a 1@0.5", "a 1@0|1@2", " 1@0"])
def test_a_damaged_text_has_no_schedules(text: str) -> None:
    assert schedules_in_text(text) == {}


@pytest.mark.parametrize(
    "points", [[], [[0.5, 1]], [[0, 1], [0.7, 1], [0.2, 1]], [[0, float("nan")]]]
)
def test_a_schedule_begins_at_0_and_goes_on_in_order(points: list[list[float]]) -> None:
    with pytest.raises(InvalidInput):
        schedule_from_json(points)

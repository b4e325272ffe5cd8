"""Schedules in a host: the weights of each step, and that nothing of them is left afterwards."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.host.double.fixtures import Stage

PROMPT = "a corgi in a knight armor, watercolor"
ON = {"enabled": True, "combination": "switch", "diversity": "all"}
NAMES = {"corgi_dog", "knight_armor", "watercolor_style"}


@pytest.fixture
def merging(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A host that merges the loaded networks again when their multipliers change."""
    networks = sys.modules["networks"]
    monkeypatch.setattr(networks, "module_types", [object()], raising=False)
    monkeypatch.setattr(networks, "network_apply_weights", lambda layer: None, raising=False)
    return stage


def made(stage: Stage, stylus: dict[str, Any] | None = None, **values: Any) -> Any:
    return stage.host.api({**ON, **(stylus or {})}, prompt=PROMPT, **values)


def acting(step: dict[str, float]) -> set[str]:
    return {name for name, weight in step.items() if weight}


def order(steps: list[dict[str, float]]) -> list[str]:
    return [" ".join(sorted(acting(step))) for step in steps]


def test_one_lora_acts_at_a_time(merging: Stage) -> None:
    done = made(merging)
    assert set().union(*map(acting, done.p.multipliers)) == NAMES
    assert order(done.p.multipliers) == (
        ["watercolor_style"] * 5
        + ["corgi_dog"] * 5
        + ["knight_armor"] * 5
        + ["watercolor_style"] * 5
    )
    assert "Stylus schedules" in done.p.extra_generation_params


def test_a_sampler_that_calls_twice_changes_at_the_same_steps(merging: Stage) -> None:
    once, twice = made(merging), made(merging, calls_per_step=2)
    assert order(twice.p.multipliers) == [name for name in order(once.p.multipliers) for _ in "12"]


def test_each_pass_and_each_batch_has_its_whole_schedule(merging: Stage) -> None:
    plain = order(made(merging).p.multipliers)
    hires = made(merging, enable_hr=True, hr_second_pass_steps=10)
    assert set(order(hires.p.multipliers[20:])) == NAMES
    batches = made(merging, n_iter=2, batch_size=2)
    assert order(batches.p.multipliers) == plain * 2


def test_img2img_counts_the_steps_that_it_makes(merging: Stage) -> None:
    asked = {}
    for denoising in (0.0, 0.5, 1.0):
        made(merging, init_images=["picture"], denoising_strength=denoising)
        asked[denoising] = merging.asked[-1]["host_steps"]["steps"]
    assert asked == {0.0: 1, 0.5: 11, 1.0: 20}
    merging.host.opts.data["img2img_fix_steps"] = True
    made(merging, init_images=["picture"], denoising_strength=0.5)
    assert merging.asked[-1]["host_steps"]["steps"] == 20


def test_one_lora_alone_and_merge_leave_the_weights_alone(merging: Stage) -> None:
    switched, merged = (
        merging.host.api({**ON, "combination": name}, prompt="a corgi")
        for name in ("switch", "merge")
    )
    assert switched.p.multipliers == merged.p.multipliers
    assert switched.images[0].pixels == merged.images[0].pixels
    assert "Stylus schedules" not in switched.p.extra_generation_params


def test_afterwards_the_loaded_networks_have_their_own_weights(merging: Stage) -> None:
    merged = made(merging, {"combination": "merge"}).p.multipliers[-1]
    made(merging)
    left = {each.name: each.unet_multiplier for each in merging.host.loras.loaded_networks}
    assert left == merged


def test_a_pass_that_broke_off_does_not_reach_the_next_picture(
    merging: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.host.double import processing

    def broken(p: Any, steps: int) -> None:
        params = SimpleNamespace(step=0, p=p, steps=steps, total_steps=steps)
        for callback in p.host.callbacks["on_cfg_denoiser"]:
            callback(SimpleNamespace(denoiser=params, sampling_step=0, total_sampling_steps=steps))
        raise RuntimeError

    plain = made(merging, {"combination": "merge"}).p.multipliers
    with monkeypatch.context() as during:
        during.setattr(processing, "_sample", broken)
        with pytest.raises(RuntimeError):
            made(merging)
    changed = [each.unet_multiplier for each in merging.host.loras.loaded_networks]
    assert 0.0 in changed
    merging.host.api({"enabled": False}, prompt=PROMPT, disable_extra_networks=True)
    left = {each.name: each.unet_multiplier for each in merging.host.loras.loaded_networks}
    assert left == plain[-1]


def test_another_generation_inside_is_left_alone(merging: Stage) -> None:
    made(merging)
    others = SimpleNamespace(p=object(), step=0, total_steps=20)
    params = SimpleNamespace(denoiser=others, sampling_step=0, total_sampling_steps=20)
    for callback in merging.host.callbacks["on_cfg_denoiser"]:
        callback(params)
        callback(SimpleNamespace())


def test_the_callback_is_registered_once_and_again_after_a_reload(merging: Stage) -> None:
    made(merging)
    made(merging)
    assert len(merging.host.callbacks["on_cfg_denoiser"]) == 1


def test_a_host_without_a_way_merges_and_says_so_where_the_user_chose(stage: Stage) -> None:
    done = made(stage)
    assert "host_steps" not in stage.asked[-1]
    assert [code for code in codes(done) if code == "not_scheduled"] == ["not_scheduled"]
    assert "Stylus schedules" not in done.p.extra_generation_params
    assert "not_scheduled" not in codes(made(stage, {"combination": "auto"}))


def codes(done: Any) -> list[str]:
    return [text for text in done.p.comments if "merged" in text] and ["not_scheduled"]


def test_too_few_steps_are_told(merging: Stage) -> None:
    assert codes(made(merging, steps=4)) == ["not_scheduled"]


def test_a_paste_uses_the_schedule_again(merging: Stage) -> None:
    from stylus_ext.host.infotext import replay_of
    from tests.host.double.processing import parse_generation_parameters

    first = made(merging)
    params = parse_generation_parameters(first.infotexts[0])
    replay = replay_of(params)
    assert replay is not None
    again = merging.host.api({**ON, "replay": replay.dump()}, prompt=params["Prompt"])
    assert again.p.multipliers == first.p.multipliers
    name = "Stylus schedules"
    assert again.p.extra_generation_params[name] == first.p.extra_generation_params[name]


def test_a_paste_into_a_host_without_a_way_has_no_schedule(
    merging: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stylus_ext.host.infotext import replay_of
    from tests.host.double.processing import parse_generation_parameters

    params = parse_generation_parameters(made(merging).infotexts[0])
    replay = replay_of(params)
    assert replay is not None
    monkeypatch.delattr(sys.modules["networks"], "module_types")
    again = merging.host.api({**ON, "replay": replay.dump()}, prompt=params["Prompt"])
    assert "Stylus schedules" not in again.p.extra_generation_params
    assert len(set(order(again.p.multipliers))) == 1


def test_a_preview_shows_when_each_lora_acts(merging: Stage) -> None:
    from stylus_ext.host.planner import current_planner
    from stylus_ext.host.preview import look, preview_request
    from stylus_ext.host.values import PanelValues

    session = current_planner().sessions.at("a" * 20 + ".txt2img")
    for name, scheduled in (("switch", True), ("merge", False)):
        request = preview_request(
            [PROMPT, "", [], 1, 1, 1, 20], PanelValues(combination=name, diversity="all")
        )
        view = look(current_planner(), session, request)
        assert [bool(pick["schedule"]) for pick in view["picks"]] == [scheduled] * 3
        assert view["notes"] == []


class LoRAControl:
    """Forge Neo's, as far as it matters: what is to happen to each file."""

    mapping: dict[str, Any] = {}


class Pointed(LoRAControl):
    @staticmethod
    def _parse_schedule(syntax: str) -> None: ...


SCHEDULES = {"corgi_dog": ((0.0, 0.8), (0.5, 0.0)), "unlisted": ((0.0, 1.0), (0.5, 0.0))}


def test_lora_control_gets_points_or_the_older_form(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stylus_ext.host.schedules import LoraControl

    files = {"corgi_dog": SimpleNamespace(filename="file of corgi_dog")}
    monkeypatch.setattr(sys.modules["networks"], "available_network_aliases", files)
    for kind, expected in (
        (Pointed, [(0.8, 0.0), (0.8, 0.5), (0.0, 0.5), (0.0, 1.0)]),
        (LoRAControl, [0.8, 0.0, 0.5]),
    ):
        kind.mapping = {"the user's": [(1.0, 0.0), (0.0, 1.0)]}
        control = LoraControl(kind)
        control.begin(SCHEDULES)
        assert kind.mapping["file of corgi_dog"] == expected
        control.restore()
        assert list(kind.mapping) == ["the user's"]
    assert LoraControl(Pointed).most_changes(20) == 20
    assert LoraControl(LoRAControl).most_changes(20) == 1


def test_lora_control_needs_loras_that_are_added_in_each_step(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stylus_ext.host.schedules import carrier

    data = SimpleNamespace(script_class=type("LoRAControl", (Pointed,), {}))
    stage.host.scripts.scripts_data.append(data)
    for online, found in ((False, False), (True, True)):
        arguments = SimpleNamespace(dynamic_args=SimpleNamespace(online_lora=online))
        monkeypatch.setitem(sys.modules, "backend.args", arguments)
        assert (carrier() is not None) is found


@given(st.integers(1, 40), st.integers(1, 2), st.booleans())
def test_steps_are_counted_by_the_samplers_progress(
    steps: int, calls_per_step: int, last_is_single: bool
) -> None:
    from stylus_ext.host.schedules import StepCounter

    counter, call, found, expected = StepCounter(), 0, [], []
    for step in range(steps):
        calls = 1 if last_is_single and step == steps - 1 else calls_per_step
        for number in range(calls):
            reported = step if number else max(0, step - 1)
            found.append(counter.before_call(call, reported, steps, steps * calls_per_step))
            expected.append(step)
            call += 1
    assert found == expected


class Adapter:
    """What a file adds to one layer."""


class Neo:
    """Forge Neo 2.26 as far as it matters: patches by layer, which its functions read."""

    def __init__(self) -> None:
        self.patches: dict[str, list[Any]] = {}
        function = SimpleNamespace(key="layer.weight", patches=self.patches)
        layer = SimpleNamespace(weight_function=[function])
        unet = SimpleNamespace(
            patches=self.patches, model=SimpleNamespace(modules=lambda: [layer, object()])
        )
        self.model = SimpleNamespace(
            current_lora_hash="old", forge_objects=SimpleNamespace(unet=unet)
        )

    def load(self, unet: Any, clip: Any, adapter: Adapter, weight: float, filename: str) -> Any:
        self.patches.setdefault("layer.weight", []).append((weight, adapter, 1.0, None, None, True))
        return unet, clip

    def strengths(self) -> list[float]:
        return [patch[0] for patch in self.patches["layer.weight"]]


def test_online_patches_follow_their_schedule_and_come_back(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stylus_ext.host import compat
    from stylus_ext.host.online_patches import OnlinePatches

    neo, networks = Neo(), sys.modules["networks"]
    monkeypatch.setattr(networks, "load_lora_for_models", neo.load, raising=False)
    files = {stem: SimpleNamespace(filename=f"{stem}.safetensors") for stem in ("a", "b")}
    monkeypatch.setattr(networks, "available_network_aliases", files)
    monkeypatch.setattr(compat, "loaded_model", lambda: neo.model)
    unet = neo.model.forge_objects.unet
    way = OnlinePatches()
    way.prepare()
    assert neo.model.current_lora_hash == str([])
    for stem in files:
        networks.load_lora_for_models(unet, None, Adapter(), 0.5, filename=f"{stem}.safetensors")
    before = list(neo.patches["layer.weight"])
    way.begin({"b": ((0.0, 0.0), (0.5, 0.9)), "gone": ((0.0, 1.0),)})
    found = []
    for step in range(4):
        way.at(step, 4)
        found.append(neo.strengths())
    assert found == [[0.5, 0.0]] * 2 + [[0.5, 0.9]] * 2
    way.restore()
    way.finish()
    assert neo.patches["layer.weight"] == before
    assert networks.load_lora_for_models == neo.load

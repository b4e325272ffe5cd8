"""The settings page: made from the tree, read back into it, and harmless before it exists."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stylus_ext.core.settings import Settings, options
from tests.host.double.fixtures import Stage

HOST_ONLY = {
    "start_early",
    "ready_s",
    "cold_s",
    "warm_s",
    "chat_s",
    "fetch_minutes",
    "inpaint_styles",
    "describe",
    "engine_url",
    "data_folder",
}


def on_page(stage: Stage) -> dict[str, Any]:
    """Our options, without the headings between them."""
    labels = stage.host.opts.data_labels
    return {
        name: info
        for name, info in labels.items()
        if name.startswith("stylus") and not info.do_not_save
    }


def test_every_setting_has_its_option_and_there_are_no_others(stage: Stage) -> None:
    wanted = {f"stylus_{option.section}_{option.name}" for option in options()} | {
        f"stylus_{name}" for name in HOST_ONLY
    }
    assert set(on_page(stage)) == wanted


def test_defaults_and_choices_are_the_settings(stage: Stage) -> None:
    for option in options():
        info = stage.host.opts.data_labels[f"stylus_{option.section}_{option.name}"]
        assert info.default == (
            ", ".join(option.default) if isinstance(option.default, tuple) else option.default
        )
        assert info.comment_after == option.help.replace("`", "")
        if option.choices:
            assert tuple(info.component_args["choices"]) == option.choices
        elif not isinstance(option.default, (bool, str, tuple)):
            assert (info.component_args["minimum"], info.component_args["maximum"]) == (
                option.low,
                option.high,
            )


def test_the_first_page_has_about_ten_options_and_headings(stage: Stage) -> None:
    labels = stage.host.opts.data_labels.values()
    first = [info for info in labels if info.section == ("stylus", "Stylus")]
    assert 8 <= sum(not info.do_not_save for info in first) <= 12
    assert sum(info.do_not_save for info in first) >= 3
    assert first[0].do_not_save
    assert len({info.section for info in on_page(stage).values()}) == 2


def test_no_label_is_made_from_a_variables_name(stage: Stage) -> None:
    """Every option has a written name of its own in its section, and help beside it."""
    for name, info in on_page(stage).items():
        assert info.label, name
        assert info.label[0].isupper(), name
        assert "_" not in info.label, name
        assert "`" not in info.comment_after, name
        assert info.comment_after, name


def test_urls_and_folders_cannot_be_set_through_the_api(stage: Stage) -> None:
    restricted = {name for name, info in stage.host.opts.data_labels.items() if info.restrict_api}
    assert restricted == {
        "stylus_encoder_endpoint",
        "stylus_encoder_model",
        "stylus_encoder_dimensions",
        "stylus_encoder_device",
        "stylus_vectors_chroma_url",
        "stylus_civitai_civitai_url",
        "stylus_civitai_civitai_files_url",
        "stylus_hugging_face_hugging_face_url",
        "stylus_engine_url",
        "stylus_data_folder",
        *(
            f"stylus_{option.section}_{option.name}"
            for option in options()
            if option.section in ("downloads", "chat", "reranking")
        ),
    }


def test_no_secret_is_an_option(stage: Stage) -> None:
    names = " ".join(stage.host.opts.data_labels)
    assert not any(word in names for word in ("token", "key", "secret", "password"))


def test_before_the_page_exists_the_defaults_hold(stage: Stage) -> None:
    """opts.x raises AttributeError before on_ui_settings (HOST.md g)."""
    from stylus_ext.host.options import data_folder, engine_flags, own, read_settings
    from stylus_ext.host.planner import timeouts

    for name in [name for name in stage.host.opts.data if name.startswith("stylus")]:
        del stage.host.opts.data[name]
    assert read_settings() == Settings()
    assert (timeouts().ready_s, timeouts().cold_s, timeouts().warm_s) == (60.0, 20.0, 2.0)
    assert own("engine_url") == ""
    assert data_folder() == stage.host.data_path / "stylus"
    assert engine_flags() == []
    assert "<lora:" in stage.host.api({"enabled": True}, prompt="a corgi").infotexts[0]


def test_what_the_page_says_goes_with_every_plan(stage: Stage) -> None:
    stage.host.opts.data |= {
        "stylus_text_debias": "best quality",
        "stylus_weights_total_cap": 1,
        "stylus_selection_max_styles": 1.0,
    }
    done = stage.host.api({"enabled": True}, prompt="a corgi")
    settings = stage.asked[0]["settings"]
    assert settings["text"]["debias"] == "best quality"
    assert settings["weights"]["total_cap"] == 1.0
    assert settings["selection"]["max_styles"] == 1
    assert "a corgi, best quality <lora:" in done.infotexts[0]


def test_a_list_is_one_text_on_the_page_and_several_in_the_plan(stage: Stage) -> None:
    stage.host.opts.data |= {
        "stylus_selection_deny_folders": "old, characters/nsfw",
        "stylus_selection_deny_tags": "",
    }
    stage.host.api({"enabled": True}, prompt="a corgi")
    settings = stage.asked[0]["settings"]["selection"]
    assert list(settings["deny_folders"]) == ["old", "characters/nsfw"]
    assert list(settings["deny_tags"]) == []


def test_the_panel_begins_with_the_pages_values(stage: Stage) -> None:
    stage.host.opts.data |= {
        "stylus_weights_strength": 0.7,
        "stylus_selection_max_adapters": 2.0,
        "stylus_diversity_scheme": "all",
    }
    stage.host.start()
    assert stage.host.page.by_id("stylus_txt2img_strength").value == 0.7
    assert stage.host.page.by_id("stylus_img2img_max_adapters").value == 2
    assert stage.host.txt2img.api_defaults()[1:7] == [False, "rules", 2, 1, 0.7, "all"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("weights_strength", 99),
        ("weights_strength", "much"),
        ("selection_policy", "psychic"),
        ("selection_max_adapters", 2.5),
        ("text_triggers", "yes"),
        ("text_debias", 7),
        ("weights_total_cap", float("nan")),
    ],
)
def test_a_value_that_cannot_be_used_is_left_at_its_default(
    stage: Stage, name: str, value: object, caplog: pytest.LogCaptureFixture
) -> None:
    """POST /sdapi/v1/options checks nothing."""
    from stylus_ext.host.options import read_settings

    stage.host.opts.data[f"stylus_{name}"] = value
    assert read_settings() == Settings()
    assert f"stylus_{name}" in caplog.text
    assert "<lora:" in stage.host.api({"enabled": True}, prompt="a corgi").infotexts[0]


def test_the_engines_own_sections_become_flags_of_its_start(stage: Stage) -> None:
    from stylus_ext.host.options import engine_flags

    stage.host.opts.data |= {
        "stylus_encoder_endpoint": "http://127.0.0.1:9",
        "stylus_encoder_threads": 1.0,
        "stylus_vectors_exact_below": 10,
    }
    assert engine_flags() == [
        "--endpoint",
        "http://127.0.0.1:9",
        "--threads",
        "1",
        "--exact-below",
        "10",
    ]


def test_the_flags_are_ones_that_the_engine_takes(stage: Stage) -> None:
    from stylus_ext.cli.flags import flag
    from stylus_ext.core.settings import ENGINE_SECTIONS

    assert {flag(option) for option in options() if option.section in ENGINE_SECTIONS} >= {
        "--endpoint",
        "--threads",
        "--exact-below",
    }


@pytest.mark.parametrize(
    ("said", "taken"), [(5, 5.0), ("5", 60.0), (-1, 60.0), (10_000, 60.0), (None, 60.0)]
)
def test_waiting_times_outside_reason_are_not_taken(
    stage: Stage, said: object, taken: float
) -> None:
    from stylus_ext.host.planner import timeouts

    stage.host.opts.data["stylus_ready_s"] = said
    assert timeouts().ready_s == taken


def test_a_stated_folder_is_used(stage: Stage) -> None:
    from stylus_ext.host.options import data_folder

    stage.host.opts.data["stylus_data_folder"] = str(stage.host.data_path / "elsewhere")
    assert data_folder() == stage.host.data_path / "elsewhere"


def test_switches_of_the_engine_become_its_flags(stage: Stage) -> None:
    from stylus_ext.host.options import engine_flags

    stage.host.opts.data |= {"stylus_downloads_download": True, "stylus_downloads_quota_gb": 5}
    assert engine_flags() == ["--download", "--quota-gb", "5.0"]


def test_the_page_about_hosts_lists_the_options_of_this_side(stage: Stage) -> None:
    from stylus_ext.host.options import HOST_OPTIONS

    page = (Path(__file__).resolve().parents[2] / "docs" / "hosts.md").read_text("utf-8")
    for option in HOST_OPTIONS:
        default = (
            {True: "on", False: "off", "": "empty"}.get(option.default)
            if isinstance(option.default, (bool, str))
            else f"{option.default:g}"
        )
        limits = f"{option.low:g} to {option.high:g}" if option.high else ""
        assert (
            f"| `stylus_{option.name}` | {default} | {limits} |".replace("|  |", "| |") in page
        ), option.name


def test_a_misspelt_base_model_is_not_used_and_is_named(stage: Stage) -> None:
    """The checkpoint's own may be unlisted; one that a user chooses may not."""
    from stylus_ext.host.options import problems, read_settings

    assert problems() == []
    for name in ("any", "sdxl", "SDXL 1.0"):
        stage.host.opts.data["stylus_selection_family"] = name
        assert (read_settings().selection.family, problems()) == (name, [])
    stage.host.opts.data["stylus_selection_family"] = "sdlx"
    assert read_settings().selection.family == "any"
    (problem,) = problems()
    assert "selection.family" in problem
    assert "sdlx" in problem


def test_the_base_model_is_chosen_from_the_known_ones(stage: Stage) -> None:
    from stylus_ext.core.family import known_families

    info = stage.host.opts.data_labels["stylus_selection_family"]
    assert info.component_args["choices"] == ["any", *known_families()]

"""The WebUI's settings pages, generated from `core/settings.py` and `core/option_names.py`.

URLs, folders and download limits cannot be set through the API (`restrict_api`); secrets are not
options.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.family import ANY, known_families, listed_family
from stylus_ext.core.option_names import ADVANCED, EVERYDAY
from stylus_ext.core.settings import (
    ENGINE_SECTIONS,
    Option,
    Settings,
    as_values,
    options,
    with_values,
)
from stylus_ext.host import compat

logger = logging.getLogger(__name__)


PREFIX = "stylus_"
SECTION, ADVANCED_SECTION = ("stylus", "Stylus"), ("stylus_advanced", "Stylus: Advanced")
_RESTRICTED = frozenset(
    {
        "endpoint",
        "chroma_url",
        "model",
        "dimensions",
        "device",
        "civitai_url",
        "civitai_files_url",
        "hugging_face_url",
    }
)
_FAMILY = ("selection", "family")
"""Unlisted base models come from the checkpoint only; a user chooses a listed one."""
_WHOLLY_RESTRICTED = frozenset(
    {"downloads", "chat", "reranking"}
)  # what is fetched, and what is spent


@dataclass(frozen=True, slots=True)
class HostOption:
    """An option of the WebUI's side only."""

    name: str
    default: bool | float | str
    help: str
    low: float = 0.0
    high: float = 0.0
    restricted: bool = False


HOST_OPTIONS = (
    HostOption("start_early", True, "if the panel was enabled the last time"),
    HostOption("ready_s", 60.0, "how long Generate waits for a starting engine", 0.0, 600.0),
    HostOption("cold_s", 20.0, "for the first plan after the engine's start", 0.5, 300.0),
    HostOption("warm_s", 2.0, "for every other plan", 0.1, 60.0),
    HostOption("chat_s", 20.0, "for a plan that a language model composes", 1.0, 300.0),
    HostOption(
        "fetch_minutes",
        0.0,
        "how long a picture waits for LoRAs that are fetched; 0 waits until they are there",
        0.0,
        600.0,
    ),
    HostOption("inpaint_styles", False, "otherwise only LoRAs for the masked area itself"),
    HostOption("describe", False, "uses the WebUI's interrogator, if it is loaded"),
    HostOption("engine_url", "", "empty starts an engine of this WebUI's own", restricted=True),
    HostOption("data_folder", "", "empty is stylus in the WebUI's data folder", restricted=True),
)


def name_of(option: Option) -> str:
    return f"{PREFIX}{option.section}_{option.name}"


def add_page() -> None:
    """Add the options; called at script load, before the host builds its settings page."""
    by_key: dict[str, Option | HostOption] = {
        **{f"{option.section}.{option.name}": option for option in options()},
        **{option.name: option for option in HOST_OPTIONS},
    }
    for section, groups in ((SECTION, EVERYDAY), (ADVANCED_SECTION, ADVANCED)):
        infos: dict[str, Any] = {}
        for group in groups:
            heading = f"{PREFIX}heading_{group.title}".replace(" ", "_").lower()
            infos[heading] = compat.option_heading()(f"<b>{group.title}</b><br>{group.about}")
            for key, name in group.names.items():
                infos[PREFIX + key.replace(".", "_")] = _info(by_key[key], name)
        compat.add_options(section, infos)


def read_settings() -> Settings:
    """The page's values; invalid ones (the API checks nothing) fall back to defaults."""
    values: dict[str, dict[str, Any]] = {}
    for option, value in _valid_values():
        if option.section not in ENGINE_SECTIONS and value != option.default:
            values.setdefault(option.section, {})[option.name] = value
    return with_values(Settings(), values)


def own(name: str) -> Any:
    """Value of one of HOST_OPTIONS."""
    found = next(option for option in HOST_OPTIONS if option.name == name)
    value = compat.option(PREFIX + name, found.default)
    if isinstance(found.default, float) and not isinstance(found.default, bool):
        usable = isinstance(value, (int, float)) and found.low <= value <= found.high
        return float(value) if usable else found.default
    return value if isinstance(value, type(found.default)) else found.default


def data_folder() -> Path:
    folder = own("data_folder").strip()
    return Path(folder).expanduser().absolute() if folder else compat.data_path() / "stylus"


def plan_values(settings: Settings) -> dict[str, dict[str, Any]]:
    """Settings sent with every plan; the engine's own sections are left out."""
    return {
        section: leaves
        for section, leaves in as_values(settings).items()
        if section not in ENGINE_SECTIONS
    }


def engine_flags() -> list[str]:
    """The engine's own sections as command-line flags, without defaults."""
    flags = []
    for option, value in _valid_values():
        if option.section in ENGINE_SECTIONS and value != option.default:
            name = option.name.replace("_", "-")
            if isinstance(value, bool):
                flags.append(f"--{name}" if value else f"--no-{name}")
            else:
                flags += [f"--{name}", str(value)]
    return flags


def _valid_values() -> Iterator[tuple[Option, Any]]:
    for option in options():
        value = _as(option, compat.option(name_of(option), option.default))
        problem = _problem(option, value)
        if problem:
            logger.warning(
                "the option %s is left at %r: %s", name_of(option), option.default, problem
            )
            value = option.default
        yield option, value


def problems() -> list[str]:
    """Settings of the page that cannot be used, and what is used instead."""
    return [
        f"The setting {option.section}.{option.name} cannot be {value!r}. It is used as"
        f" {option.default!r}."
        for option in options()
        if _problem(option, value := _as(option, compat.option(name_of(option), option.default)))
    ]


def _problem(option: Option, value: Any) -> str:
    """Why a value cannot be used, or nothing."""
    if value is option.default:  # as nearly all are: there is nothing to look at
        return ""
    try:
        with_values(Settings(), {option.section: {option.name: value}})
        if (option.section, option.name) == _FAMILY:
            listed_family(value)
    except InvalidInput as error:
        return str(error)
    return ""


def _as(option: Option, value: Any) -> Any:
    """Convert a slider's number: 1 for 1.0, 2.0 for 2."""
    kind = type(option.default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or kind not in (int, float):
        return value
    return kind(value) if kind is float or value == int(value) else value


def _info(option: Option | HostOption, name: str) -> Any:
    """The host's option, with a control by the type of its default."""
    gr, value = compat.gr, option.default
    component, arguments = gr.Textbox, dict[str, Any]()
    restricted = option.restricted if isinstance(option, HostOption) else _is_restricted(option)
    if isinstance(option, Option) and (option.section, option.name) == _FAMILY:
        component, arguments = gr.Dropdown, {"choices": [ANY, *known_families()]}
    elif isinstance(option, Option) and option.choices:
        component, arguments = gr.Dropdown, {"choices": list(option.choices)}
    elif isinstance(value, bool):
        component = gr.Checkbox
    elif isinstance(value, (int, float)):
        fine = 0.05 if isinstance(option, Option) else 0.5
        step = 1 if isinstance(value, int) else fine
        component = gr.Slider
        arguments = {"minimum": option.low, "maximum": option.high, "step": step}
    text = ", ".join(value) if isinstance(value, tuple) else value
    info = compat.option_info()(text, name, component, arguments, restrict_api=restricted)
    return info.info(option.help.replace("`", ""))


def _is_restricted(option: Option) -> bool:
    return option.name in _RESTRICTED or option.section in _WHOLLY_RESTRICTED


def limits(leaf: str) -> tuple[float, float]:
    """Range of a numeric setting, for its slider."""
    found = next(option for option in options() if option.name == leaf)
    return (found.low or 0, found.high or 0)

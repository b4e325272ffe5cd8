"""The WebUI's settings page, generated from `core/settings.py`.

URLs, folders and download limits cannot be set through the API (`restrict_api`); secrets are not
options.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stylus_ext.core.errors import InvalidInput
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
SECTION = ("stylus", "Stylus")
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
_WHOLLY_RESTRICTED = frozenset(
    {"downloads", "chat", "reranking"}
)  # what is fetched, and what is spent
_TITLES = {"hugging_face": "Hugging Face", "chat": "Language model"}


@dataclass(frozen=True, slots=True)
class HostOption:
    """An option of the WebUI's side only."""

    name: str
    default: bool | float | str
    label: str
    low: float = 0.0
    high: float = 0.0
    restricted: bool = False


HOST_OPTIONS = (
    HostOption(
        "ready_s", 60.0, "Seconds for which Generate waits until the engine is there", 0.0, 600.0
    ),
    HostOption("cold_s", 20.0, "Seconds for the first plan after the engine's start", 0.5, 300.0),
    HostOption("warm_s", 2.0, "Seconds for every other plan", 0.1, 60.0),
    HostOption(
        "chat_s", 20.0, "Seconds more for a plan that a language model composes", 1.0, 300.0
    ),
    HostOption(
        "fetch_minutes",
        0.0,
        "Minutes for which a picture waits for LoRAs that are fetched; 0 waits until they are"
        " there",
        0.0,
        600.0,
    ),
    HostOption("inpaint_styles", False, "Inpainting: allow style and background LoRAs too"),
    HostOption(
        "describe",
        False,
        "img2img with an empty prompt: let the WebUI's interrogator describe the picture, if it is"
        " loaded",
    ),
    HostOption(
        "engine_url",
        "",
        "Address of a shared engine; empty starts one of this WebUI's own",
        restricted=True,
    ),
    HostOption(
        "data_folder",
        "",
        "Folder for Stylus' data; empty takes `stylus` in the WebUI's data folder",
        restricted=True,
    ),
)


def name_of(option: Option) -> str:
    return f"{PREFIX}{option.section}_{option.name}"


def add_page() -> None:
    """Add the options; called at script load, before the host builds its settings page."""
    infos: dict[str, Any] = {}
    section = ""
    for option in options():
        infos[name_of(option)] = _info(option, starts_section=option.section != section)
        section = option.section
    infos |= {PREFIX + own.name: _own_info(own) for own in HOST_OPTIONS}
    compat.add_options(SECTION, infos)


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
        if value is option.default:  # as nearly all are: there is nothing to look at
            yield option, value
            continue
        try:
            with_values(Settings(), {option.section: {option.name: value}})
        except InvalidInput as error:
            logger.warning(
                "the option %s is left at %r: %s", name_of(option), option.default, error
            )
            value = option.default
        yield option, value


def _as(option: Option, value: Any) -> Any:
    """Convert a slider's number: 1 for 1.0, 2.0 for 2."""
    kind = type(option.default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or kind not in (int, float):
        return value
    return kind(value) if kind is float or value == int(value) else value


def _info(option: Option, starts_section: bool) -> Any:
    value, section = option.default, option.section
    info = _option_info(
        ", ".join(value) if isinstance(value, tuple) else value,
        f"{option.name.replace('_', ' ').capitalize()}: {option.help}",
        option.name in _RESTRICTED or section in _WHOLLY_RESTRICTED,
        (option.low, option.high, 1 if isinstance(value, int) else 0.05),
        option.choices,
    )
    if not starts_section:
        return info
    title = _TITLES.get(section, section.capitalize())
    later = " (from the engine's next start)" if section in ENGINE_SECTIONS else ""
    return info.info(title + later)


def _own_info(option: HostOption) -> Any:
    numbers = (option.low, option.high, 0.5)
    return _option_info(option.default, option.label, option.restricted, numbers)


def _option_info(
    default: object,
    label: str,
    restricted: bool,
    numbers: tuple[float | None, float | None, float],
    choices: Sequence[str] = (),
) -> Any:
    """The host's option, with a control by the type of its default."""
    gr = compat.gr
    component, arguments = gr.Textbox, dict[str, Any]()
    if choices:
        component, arguments = gr.Dropdown, {"choices": list(choices)}
    elif isinstance(default, bool):
        component = gr.Checkbox
    elif isinstance(default, (int, float)):
        limits = zip(("minimum", "maximum", "step"), numbers, strict=True)
        component, arguments = gr.Slider, dict(limits)
    return compat.option_info()(default, label, component, arguments, restrict_api=restricted)


def limits(leaf: str) -> tuple[float, float]:
    """Range of a numeric setting, for its slider."""
    found = next(option for option in options() if option.name == leaf)
    return (found.low or 0, found.high or 0)

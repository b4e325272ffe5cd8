"""The panel's values as one frozen object, read from the argument list or the API's dict."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from stylus_ext.core.errors import InvalidInput, Note
from stylus_ext.core.family import known_families, listed_family
from stylus_ext.core.settings import COMBINATIONS, COMPOSERS, SCHEMES, VARIED, Settings, with_values

AUTO = "auto"
FOLLOW = -1
LAST_SEED = 2**63 - 1


@dataclass(frozen=True, slots=True)
class PanelValues:
    """Values in component order. `replay` is a pasted selection, `session_id` the page's name."""

    enabled: bool = False
    composer: str = "rules"
    max_adapters: int = 3
    per_task: int = 1
    strength: float = 1.0
    diversity: str = VARIED
    downloads: bool = False
    vary_inside_batch: bool = False
    seed: int = FOLLOW
    family: str = AUTO
    replay: str = ""
    compare: bool = False
    session_id: str = ""
    combination: str = "auto"

    def __post_init__(self) -> None:
        for name, kind in KINDS.items():
            if not isinstance(getattr(self, name), kind):
                raise InvalidInput(f"{name} must be {_CALLED[kind]}, not {getattr(self, name)!r}.")
        for name, choices in (
            ("composer", COMPOSERS),
            ("diversity", SCHEMES),
            ("combination", COMBINATIONS),
        ):
            if getattr(self, name) not in choices:
                raise InvalidInput(
                    f"{name} must be one of {', '.join(choices)}, not {getattr(self, name)!r}."
                )
        if not FOLLOW <= self.seed <= LAST_SEED:
            raise InvalidInput(
                f"seed must be {FOLLOW}, to follow the picture's, or a number up to {LAST_SEED:,},"
                f" not {self.seed}."
            )
        if self.family != AUTO:
            listed_family(self.family)
        settings_of(self, Settings())


_CALLED = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
_SETTINGS = {
    "composer": ("selection", "composer"),
    "max_adapters": ("selection", "max_adapters"),
    "per_task": ("selection", "per_task"),
    "strength": ("weights", "strength"),
    "diversity": ("diversity", "scheme"),
    "combination": ("combination", "combine"),
}
KINDS: Mapping[str, type] = {field.name: type(field.default) for field in fields(PanelValues)}
NAMES = tuple(KINDS)
HIDDEN = ("replay", "session_id")
SHOWN = tuple(name for name in NAMES if name not in HIDDEN)


@dataclass(frozen=True, slots=True)
class ValuesReading:
    values: PanelValues
    notes: tuple[Note, ...] = ()


def is_on(args: Sequence[Any]) -> bool:
    """True if Stylus is ticked; reads one value, since it runs at every generation."""
    first = args[0] if args else False
    return bool(first.get("enabled", False) if isinstance(first, Mapping) else first)


def read_values(args: Sequence[Any], overrides: Mapping[str, Any] | None = None) -> ValuesReading:
    """Read the argument list, or the API's dict as its first item; `overrides` come from X/Y/Z."""
    given = dict(zip(NAMES, args, strict=False))
    notes: tuple[Note, ...] = ()
    if args and isinstance(args[0], Mapping):
        given |= {
            "enabled": False,
            **{name: value for name, value in args[0].items() if name in NAMES},
        }
        unknown = [str(name) for name in args[0] if name not in NAMES]
        if unknown:
            text = f"Stylus knows no {_listed(unknown)}; it knows {', '.join(SHOWN)}."
            notes = (Note("unknown_key", text),)
    given |= overrides or {}
    return ValuesReading(
        PanelValues(**{name: _fitting(name, value) for name, value in given.items()}), notes
    )


def settings_of(values: PanelValues, base: Settings) -> Settings:
    """The settings page's values with the panel's on top."""
    tree: dict[str, dict[str, Any]] = {}
    for name, (section, leaf) in _SETTINGS.items():
        tree.setdefault(section, {})[leaf] = getattr(values, name)
    return with_values(base, tree)


# What decides on the picks, besides the prompts; the page compares these with its controls.
COMPARED = (
    "composer",
    "max_adapters",
    "per_task",
    "strength",
    "diversity",
    "downloads",
    "seed",
    "family",
    "combination",
)


def settings_alike(one: PanelValues, other: PanelValues) -> bool:
    return all(getattr(one, name) == getattr(other, name) for name in COMPARED)


def defaults_from(base: Settings) -> PanelValues:
    """Initial panel values from the settings page."""
    values = {
        name: getattr(getattr(base, section), leaf) for name, (section, leaf) in _SETTINGS.items()
    }
    return replace(PanelValues(), **{name: _fitting(name, value) for name, value in values.items()})


def families() -> tuple[str, ...]:
    return (AUTO, *known_families())


def _fitting(name: str, value: Any) -> Any:
    """Accept 3 or 3.0 from sliders, and None from cleared fields."""
    if value is None:
        return getattr(_DEFAULTS, name)
    kind = KINDS[name]
    if isinstance(value, bool) or not isinstance(value, (int, float)) or kind not in (int, float):
        return value
    if math.isfinite(value) and (kind is float or value == int(value)):
        return kind(value)
    return value


def _listed(names: Sequence[str]) -> str:
    return " and no ".join(repr(name[:40]) for name in names[:5])


_DEFAULTS = PanelValues()

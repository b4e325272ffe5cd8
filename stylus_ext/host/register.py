"""Registers the callbacks at every load, since the host clears them before.

Registering walks the stack, so it is done in few calls from a short stack.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stylus_ext.core.settings import COMPOSERS, SCHEMES
from stylus_ext.host import compat
from stylus_ext.host.script import loaded_anew

PREFIX = "[Stylus] "
ATTRIBUTE = "stylus_axes"
_YES = ("True", "False")


def add_axes() -> bool:
    """Add the X/Y/Z axes once per load; False if the host has no grid."""
    module = compat.xyz_grid()
    if module is None:
        return False
    there = {option.label for option in module.axis_options}
    for label, kind, name, choices in _axes():
        if PREFIX + label not in there:
            extra = {} if choices is None else {"choices": choices}
            module.axis_options.append(
                module.AxisOption(PREFIX + label, kind, apply(name), **extra)
            )
    return True


def apply(name: str) -> Callable[[Any, Any, Any], None]:
    """Axis function; sets a new dictionary, since copies of `p` share what is not replaced."""

    def put(p: Any, value: Any, values: Any) -> None:  # noqa: ARG001
        setting = (
            value.strip().lower() == "true"
            if name == "enabled" and isinstance(value, str)
            else value
        )
        setattr(p, ATTRIBUTE, {**(getattr(p, ATTRIBUTE, None) or {}), name: setting})

    return put


def _axes() -> list[tuple[str, type, str, Callable[[], list[str]] | None]]:
    return [
        ("Enabled", str, "enabled", lambda: list(_YES)),
        ("Composer", str, "composer", lambda: list(COMPOSERS)),
        ("Strength", float, "strength", None),
        ("LoRAs per task", int, "per_task", None),
        ("Diversity", str, "diversity", lambda: list(SCHEMES)),
        ("Selection seed", int, "seed", None),
    ]


def register() -> None:
    _settings_page()
    callbacks = compat.script_callbacks
    compat.register((callbacks.on_app_started, _app_started), (callbacks.on_ui_tabs, _tab))
    if not add_axes():
        compat.register((callbacks.on_before_ui, add_axes))
    loaded_anew()


def _settings_page() -> None:
    from stylus_ext.host.options import add_page

    add_page()


def _tab() -> list[Any]:
    from stylus_ext.host.panel.layout import make_tab

    return make_tab()


def _app_started(demo: Any, app: Any) -> None:  # noqa: ARG001
    from stylus_ext.host.web.responses import add

    add(app, _endpoints)


def _endpoints() -> dict[str, Any]:
    from stylus_ext.host.allowed_hosts import PAGES
    from stylus_ext.host.guard import Guard
    from stylus_ext.host.web import api

    return api.endpoints(
        api.Service(_process, _prepare, _deadline, compat.lora_folders, _begun, _llm_s),
        Guard(compat.flags(), PAGES),
    )


def _process() -> Any:
    from stylus_ext.host.planner_registry import current_planner

    return current_planner().engine


def _deadline() -> float:
    from stylus_ext.host.options import own

    return float(own("cold_s"))


def _llm_s() -> float:
    from stylus_ext.host.options import own

    return float(own("chat_s"))


def _prepare(payload: dict[str, Any]) -> dict[str, Any]:
    from stylus_ext.host.plan_request import for_caller
    from stylus_ext.host.planner_registry import current_planner

    return for_caller(current_planner(), payload)


def _begun(job_id: str) -> None:
    from stylus_ext.host.planner_registry import current_planner

    current_planner().downloads.begun(job_id)

"""Registers the callbacks at every load, since the host clears them before.

Registering walks the stack, so it is done in few calls from a short stack.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stylus_ext.core.settings import COMBINATIONS, COMPOSERS, SCHEMES
from stylus_ext.host import compat, options
from stylus_ext.host.script import forget_callbacks

PREFIX = "[Stylus] "
ATTRIBUTE = "stylus_axes"
_YES = ("True", "False")


def add_axes() -> bool:
    """Add the X/Y/Z axes once per load; False if the host has no grid."""
    found = compat.xyz_axes()
    if found is None:
        return False
    axes, axis_class = found
    there = {option.label for option in axes}
    for label, kind, name, choices in _axes():
        if PREFIX + label not in there:
            extra = {} if choices is None else {"choices": choices}
            axes.append(axis_class(PREFIX + label, kind, apply(name), **extra))
    return True


def apply(name: str) -> Callable[[Any, Any, Any], None]:
    """Axis function; sets a new dictionary, since copies of `p` share the old one."""

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
        ("Max per concept", int, "per_task", None),
        ("Vary LoRAs between batches", str, "diversity", lambda: list(SCHEMES)),
        ("How LoRAs are combined", str, "combination", lambda: list(COMBINATIONS)),
        ("Selection seed", int, "seed", None),
    ]


def register() -> None:
    options.add_page()
    callbacks = compat.script_callbacks
    compat.register((callbacks.on_app_started, _app_started), (callbacks.on_ui_tabs, _tab))
    if not add_axes():
        compat.register((callbacks.on_before_ui, add_axes))
    forget_callbacks()


def _tab() -> list[Any]:
    from stylus_ext.host.panel.layout import make_tab

    return make_tab()


def _app_started(demo: Any, app: Any) -> None:  # noqa: ARG001
    from stylus_ext.host.early_start import start_early
    from stylus_ext.host.styleinject_network import register_network
    from stylus_ext.host.web.responses import add

    start_early()
    add(app, _endpoints)
    register_network()


def _endpoints() -> dict[str, Any]:
    """The routes with what they need from the host; called at the first request."""
    from stylus_ext.host.allowed_hosts import PAGES
    from stylus_ext.host.checkpoint import loaded_family
    from stylus_ext.host.guard import Guard
    from stylus_ext.host.options import own
    from stylus_ext.host.planner import current_planner
    from stylus_ext.host.web import api
    from stylus_ext.host.web.plan_payload import caller_payload

    service = api.Service(
        process=lambda: current_planner().engine,
        prepare=lambda payload: caller_payload(current_planner(), payload),
        deadline_s=lambda: float(own("cold_s")),
        folders=compat.lora_folders,
        begun=lambda job_id: current_planner().downloads.begun.update([job_id]),
        llm_s=lambda: float(own("chat_s")),
        family=lambda: loaded_family(current_planner().remembered).family,
    )
    return api.endpoints(service, Guard(compat.flags(), PAGES))

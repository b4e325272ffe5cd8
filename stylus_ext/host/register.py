"""The callbacks, registered at every load of the script: the host clears them all before it loads
scripts again.

Each costs the host's start something, since it walks the stack to learn who asks (see
`short_stack`): so the settings are added at once and the axes too, if the host's grid is there.
"""

from __future__ import annotations

from typing import Any

from stylus_ext.host import compat, short_stack
from stylus_ext.host.axes import add_axes
from stylus_ext.host.script import loaded_anew


def register() -> None:
    _settings_page()
    callbacks = compat.script_callbacks
    short_stack.register((callbacks.on_app_started, _app_started), (callbacks.on_ui_tabs, _tab))
    if not add_axes():
        short_stack.register((callbacks.on_before_ui, add_axes))
    loaded_anew()


def _settings_page() -> None:
    from stylus_ext.host.options import add_page

    add_page()


def _tab() -> list[Any]:
    from stylus_ext.host.tab import make_tab

    return make_tab()


def _app_started(demo: Any, app: Any) -> None:  # noqa: ARG001
    from stylus_ext.host.routes import add

    add(app, _endpoints)


def _endpoints() -> dict[str, Any]:
    from stylus_ext.host import api
    from stylus_ext.host.guard import Guard
    from stylus_ext.host.page_tokens import PAGES

    return api.endpoints(
        api.Service(_process, _prepare, _deadline, compat.lora_folders, _begun, _chat),
        Guard(compat.flags(), PAGES),
    )


def _process() -> Any:
    from stylus_ext.host.desks import desk_now

    return desk_now().engine


def _deadline() -> float:
    from stylus_ext.host.options import own

    return float(own("cold_s"))


def _chat() -> float:
    from stylus_ext.host.options import own

    return float(own("chat_s"))


def _prepare(payload: dict[str, Any]) -> dict[str, Any]:
    from stylus_ext.host.desks import desk_now
    from stylus_ext.host.inquiry import for_caller

    return for_caller(desk_now(), payload)


def _begun(job_id: str) -> None:
    from stylus_ext.host.desks import desk_now

    desk_now().downloads.begun(job_id)

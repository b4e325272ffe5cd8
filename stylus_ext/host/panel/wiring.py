"""Connects the panel's controls to `panel.events`, which is imported on first use."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stylus_ext.host import compat
from stylus_ext.host.compat import Request
from stylus_ext.host.values import NAMES

BOXES = ("prompt", "neg_prompt", "styles", "seed", "batch_count", "batch_size", "steps")
# Past the host's queue, in which pictures wait.
_QUICK: Mapping[str, Any] = {"show_progress": "hidden", "queue": False}


class UntickCounter:
    """Counts how often the box was unticked, so that a watcher sees an untick it missed."""

    def __init__(self) -> None:
        self.unticked = 0


@dataclass(frozen=True, slots=True)
class Events:
    """Wires one tab; skipped for components that only provide API defaults."""

    tab: str
    made: Mapping[str, Any]
    state: Any
    buttons: Mapping[str, Any]

    def wire(
        self, prompt_box: Any, generate: Any, on_after_component: Callable[..., None] | None
    ) -> None:
        shown = [
            self.state,
            self.buttons["set_up"],
            self.buttons["retry"],
            *(self.made[name] for name in ("family", "downloads", "composer")),
        ]
        if not compat.on_this_page(shown):
            return
        queued = compat.has_queue()
        long = compat.long_event() if queued else _QUICK
        watch, set_up = (
            (_stream("watch"), _stream("set_up"))
            if queued
            else (_handler("watch_once"), _handler("set_up_once"))
        )
        counter = compat.gr.State(UntickCounter())  # each page has a copy of its own
        enabled, replay = self.made["enabled"], self.made["replay"]
        both = [enabled, counter]
        # gradio queues changes of one event behind its last answer; this second event is immediate.
        enabled.change(fn=_count_untick, inputs=both, outputs=[], **_QUICK)
        ticked = enabled.change(fn=watch, inputs=both, outputs=shown, **long)
        self._latest_shown(ticked, enabled, shown)
        self.buttons["look"].click(
            fn=_handler("look_again"), inputs=[enabled], outputs=shown, **_QUICK
        )
        for name in ("set_up", "retry"):
            click = self.buttons[name].click(fn=set_up, inputs=[counter], outputs=shown, **long)
            self._latest_shown(click, enabled, shown)
        family = self.made["family"]
        family.input(fn=_handler("choose_family"), inputs=[family], outputs=shown, **_QUICK)
        afresh = self.buttons["afresh"]
        replay.change(fn=_offer_afresh, inputs=[replay], outputs=[afresh], **_QUICK)
        if compat.on_this_page([prompt_box]):
            texts = [prompt_box, replay]
            afresh.click(fn=_select_afresh, inputs=texts, outputs=texts, **_QUICK)
        if queued and compat.on_this_page([generate]):
            wanted = [enabled, self.made["downloads"]]
            generate.click(fn=_follow_fetch, inputs=wanted, outputs=[self.state], **long)
        if on_after_component is not None:
            on_after_component(self._after_generation(shown), elem_id=f"generation_info_{self.tab}")

    def _latest_shown(self, event: Any, enabled: Any, shown: list[Any]) -> None:
        """After any order of clicks, show the state of the box as it is now.

        Gradio before 3.17 lacks this event.
        """
        if hasattr(event, "then"):
            event.then(fn=_handler("show_latest"), inputs=[enabled], outputs=shown, **_QUICK)

    def _after_generation(self, shown: list[Any]) -> Callable[[Any], None]:
        def follow(made: Any) -> None:
            info, enabled = made.component, self.made["enabled"]
            page = [enabled, self.made["session_id"]]
            info.change(fn=_handler("after_generation"), inputs=page, outputs=shown, **_QUICK)
            refresh = compat.browser_script(_in_page(self.tab, "refresh", "made"))
            info.change(fn=None, inputs=[info], outputs=[], **refresh)

        return follow

    def wire_preview(self, parts: Mapping[str, Any], hosts: Mapping[str, Any]) -> None:
        """Wire Preview and the hidden parts for `javascript/panel.js`."""
        button, feed = parts["button"], parts["feed"]
        if not compat.on_this_page([button, feed]):
            return
        boxes = {name: hosts[name] for name in BOXES if compat.on_this_page([hosts.get(name)])}
        parts["identify"].click(
            fn=None,
            inputs=[],
            outputs=[self.made["session_id"]],
            **compat.browser_script(_in_page(self.tab, "session", "")),
        )
        inputs = [*boxes.values(), *(self.made[name] for name in NAMES)]
        button.click(fn=_preview(tuple(boxes)), inputs=inputs, outputs=[feed], **_QUICK)
        receive = compat.browser_script(_in_page(self.tab, "receive", "answer"))
        feed.change(fn=None, inputs=[feed], outputs=[], **receive)


def _in_page(tab: str, name: str, given: str) -> str:
    """JavaScript that calls a function of the page's panel; only `session` has a result."""
    call = f"stylus.panel.{name}('{tab}'{f', {given}' if given else ''});"
    start, end = ("return ", 'return "";') if name == "session" else ("", "return [];")
    return f"({given}) => {{ if (window.stylus && stylus.panel) {{ {start}{call} }} {end} }}"


def _with_request(handler: Callable[..., Any]) -> Callable[..., Any]:
    """Gradio passes the request by annotation, and finds it only as the first parameter here."""
    handler.__annotations__ = {"request": Request}
    return handler


def _handler(name: str) -> Callable[..., Any]:
    """The function `name` of `panel.events`."""

    def handler(request: Request, *values: Any) -> Any:
        from stylus_ext.host.panel import events

        return getattr(events, name)(*values, request)

    return _with_request(handler)


def _stream(name: str) -> Callable[..., Any]:
    """The generator `name` of `panel.events`, which gradio tells by its kind."""

    def handler(request: Request, *values: Any) -> Iterator[Any]:
        from stylus_ext.host.panel import events

        yield from getattr(events, name)(*values, request)

    return _with_request(handler)


def _preview(names: Sequence[str]) -> Callable[..., str]:
    """The handler of Preview; the host's boxes come before the panel's values."""

    def preview(request: Request, *values: Any) -> str:
        from stylus_ext.host.panel.events import preview_event

        boxes = dict(zip(names, values, strict=False))
        return preview_event([boxes.get(name) for name in BOXES], values[len(names) :], request)

    return _with_request(preview)


def _count_untick(enabled: bool, counter: UntickCounter) -> None:
    if not enabled:
        counter.unticked += 1


async def _follow_fetch(enabled: bool, downloads: bool) -> AsyncIterator[Any]:
    if not (enabled and downloads):
        yield compat.gr.update()
        return
    from stylus_ext.host.panel.events import follow_fetch

    async for update in follow_fetch():
        yield update


def _offer_afresh(replay: str) -> Any:
    from stylus_ext.host.infotext import load_replay

    return compat.gr.update(visible=load_replay(replay) is not None)


def _select_afresh(prompt: str, replay: str) -> list[Any]:
    """Restore the prompt from before Stylus and clear the replay."""
    from stylus_ext.host.infotext import load_replay

    earlier = load_replay(replay)
    return [prompt if earlier is None else earlier.original, ""]

"""Connects the panel's controls to `panel.events`, which is imported on first use.

Gradio inspects kind and annotations, so each handler is a function of its own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stylus_ext.host import compat
from stylus_ext.host.compat import Request
from stylus_ext.host.panel.preview import refresh_after_pictures
from stylus_ext.host.timeouts import UntickCounter

# Past the host's queue, in which pictures wait.
_QUICK: Mapping[str, Any] = {"show_progress": "hidden", "queue": False}
_MORE = 8


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
        watch, set_up, long = (
            (_watch, _set_up, compat.long_event())
            if compat.has_queue()
            else (_watch_once, _set_up_once, _QUICK)
        )
        switch = compat.gr.State(UntickCounter())  # each page has a copy of its own
        both = [self.made["enabled"], switch]
        # gradio queues changes of one event behind its last answer; this second event is immediate.
        self.made["enabled"].change(fn=_apply_mode, inputs=both, outputs=[], **_QUICK)
        self._latest_shown(
            self.made["enabled"].change(fn=watch, inputs=both, outputs=shown, **long), both, shown
        )
        for name in ("set_up", "retry"):
            self._latest_shown(
                self.buttons[name].click(fn=set_up, inputs=[switch], outputs=shown, **long),
                both,
                shown,
            )
        self.made["family"].input(
            fn=_choose_family, inputs=[self.made["family"]], outputs=shown, **_QUICK
        )
        self.made["replay"].change(
            fn=_offer_afresh,
            inputs=[self.made["replay"]],
            outputs=[self.buttons["afresh"]],
            **_QUICK,
        )
        if compat.on_this_page([prompt_box]):
            both = [prompt_box, self.made["replay"]]
            self.buttons["afresh"].click(fn=_select_afresh, inputs=both, outputs=both, **_QUICK)
        if compat.has_queue() and compat.on_this_page([generate]):
            wanted = [self.made["enabled"], self.made["downloads"]]
            generate.click(
                fn=_follow_fetch, inputs=wanted, outputs=[self.state], **compat.long_event()
            )
        if on_after_component is not None:
            on_after_component(self._after_generation(shown), elem_id=f"generation_info_{self.tab}")

    def _latest_shown(self, event: Any, both: list[Any], shown: list[Any]) -> None:
        """After any order of clicks, show the state of the box as it is now.

        Gradio before 3.17 lacks this event. Without a queue each event updates once, so further
        events continue.
        """
        if not hasattr(event, "then"):
            return
        for _ in range(0 if compat.has_queue() else _MORE):
            event = event.then(fn=_go_on, inputs=both, outputs=shown, **_QUICK)
        event.then(fn=_show_latest, inputs=both[:1], outputs=shown, **_QUICK)

    def _after_generation(self, shown: list[Any]) -> Callable[[Any], None]:
        def follow(made: Any) -> None:
            made.component.change(fn=_look, inputs=[self.made["enabled"]], outputs=shown, **_QUICK)
            refresh_after_pictures(self.tab, made.component)

        return follow


def _apply_mode(enabled: bool, switch: UntickCounter) -> None:
    if not enabled:
        switch.unticked += 1


def _watch(enabled: bool, switch: UntickCounter, request: Request) -> Iterator[list[Any]]:
    from stylus_ext.host.panel.events import watch

    yield from watch(enabled, switch, request)


def _set_up(switch: UntickCounter, request: Request) -> Iterator[list[Any]]:
    from stylus_ext.host.panel.events import set_up

    yield from set_up(switch, request)


async def _follow_fetch(enabled: bool, downloads: bool) -> AsyncIterator[Any]:
    if not (enabled and downloads):
        yield compat.gr.update()
        return
    from stylus_ext.host.panel.events import follow_fetch

    async for update in follow_fetch(enabled, downloads):
        yield update


def _watch_once(enabled: bool, switch: UntickCounter, request: Request) -> list[Any]:
    from stylus_ext.host.panel.events import last_soon, watch

    return last_soon(watch(enabled, switch, request))


def _set_up_once(switch: UntickCounter, request: Request) -> list[Any]:
    from stylus_ext.host.panel.events import last_soon, set_up

    return last_soon(set_up(switch, request))


def _go_on(enabled: bool, switch: UntickCounter, request: Request) -> list[Any]:
    from stylus_ext.host.panel.events import go_on

    return go_on(enabled, switch, request)


def _show_latest(enabled: bool, request: Request) -> list[Any]:
    from stylus_ext.host.panel.events import show_latest

    return show_latest(enabled, request)


def _look(enabled: bool, request: Request) -> list[Any]:
    from stylus_ext.host.panel.events import look

    return look(enabled, request)


def _choose_family(family: str, request: Request) -> list[Any]:
    from stylus_ext.host.panel.events import choose_family

    return choose_family(family, request)


def _offer_afresh(replay: str) -> Any:
    from stylus_ext.host.panel.events import offer_afresh

    return offer_afresh(replay)


def _select_afresh(prompt: str, replay: str) -> list[Any]:
    from stylus_ext.host.panel.events import select_afresh

    return select_afresh(prompt, replay)

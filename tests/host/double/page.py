"""As much of gradio as a script's `ui()` touches: components with values, ids and events, and the
page that they stand on.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any


class Context:
    root_block: Any = None


@dataclass
class Event:
    fn: Callable[..., Any] | None
    inputs: list[Any]
    outputs: list[Any]


class Block:
    count = 0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        Block.count += 1
        self._id = Block.count
        self.elem_id = kwargs.get("elem_id")
        self.visible = kwargs.get("visible", True)
        if Context.root_block is not None:
            Context.root_block.blocks[self._id] = self
            Context.root_block.add(self)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *exc: object) -> None:
        return None


class Blocks(Block):
    def __init__(self, analytics_enabled: bool = True) -> None:
        self.blocks: dict[int, Any] = {}
        self.hooks: list[Callable[[Any], None]] = []
        self._outer: Any = None
        self._id = 0

    def __enter__(self) -> Blocks:
        self._outer, Context.root_block = Context.root_block, self
        return self

    def __exit__(self, *exc: object) -> None:
        Context.root_block = self._outer

    def add(self, component: Any) -> None:
        for hook in self.hooks:
            hook(component)

    def by_id(self, elem_id: str) -> Any:
        found = [component for component in self.blocks.values() if component.elem_id == elem_id]
        assert len(found) == 1, f"{len(found)} components are called {elem_id}"
        return found[0]

    def ids(self) -> list[str]:
        return [component.elem_id for component in self.blocks.values() if component.elem_id]


class Component(Block):
    known = frozenset(
        {
            "label",
            "value",
            "elem_id",
            "elem_classes",
            "visible",
            "info",
            "choices",
            "minimum",
            "maximum",
            "step",
            "precision",
            "variant",
            "size",
            "lines",
        }
    )

    def __init__(self, value: Any = None, **kwargs: Any) -> None:
        unknown = set(kwargs) - self.known
        assert not unknown, f"{type(self).__name__} has no {unknown}"
        self.value = value
        self.label = kwargs.get("label")
        self.choices = kwargs.get("choices")
        self.minimum, self.maximum, self.step = (
            kwargs.get(name) for name in ("minimum", "maximum", "step")
        )
        self.events: dict[str, Event] = {}
        self.all_events: list[Event] = []
        super().__init__(**kwargs)

    def _listen(self, name: str, fn: Any, inputs: Any, outputs: Any) -> Component:
        """Gives back what `then` can be asked of."""
        if (
            fn is None and name in self.events
        ):  # something that the page's script alone does, besides
            return self
        self.events[name] = Event(fn, list(inputs or ()), list(outputs or ()))
        self.all_events.append(self.events[name])
        return self

    def change(
        self, fn: Any = None, inputs: Any = None, outputs: Any = None, **kwargs: Any
    ) -> Component:
        return self._listen("change", fn, inputs, outputs)

    def input(
        self, fn: Any = None, inputs: Any = None, outputs: Any = None, **kwargs: Any
    ) -> Component:
        return self._listen("input", fn, inputs, outputs)

    def click(
        self, fn: Any = None, inputs: Any = None, outputs: Any = None, **kwargs: Any
    ) -> Component:
        return self._listen("click", fn, inputs, outputs)

    def then(
        self, fn: Any = None, inputs: Any = None, outputs: Any = None, **kwargs: Any
    ) -> Component:
        return self._listen("then", fn, inputs, outputs)


class Checkbox(Component): ...


class Slider(Component): ...


class Dropdown(Component): ...


class Number(Component): ...


class Textbox(Component): ...


class HTML(Component): ...


class Button(Component): ...


class State(Block):
    """As gradio's: invisible, and every page has a copy of its value."""

    def __init__(self, value: Any) -> None:
        self.value = copy.deepcopy(value)
        super().__init__()


class Row(Block): ...


class Group(Block): ...


class Accordion(Block): ...


class InputAccordion(Checkbox):
    """The host's own: a hidden checkbox beside an accordion."""

    def __init__(self, value: bool, **kwargs: Any) -> None:
        super().__init__(
            value, **{**kwargs, "elem_id": f"{kwargs['elem_id']}-checkbox", "visible": False}
        )
        self.accordion = Accordion(elem_id=kwargs["elem_id"])


class Request:
    def __init__(self, headers: dict[str, str] | None = None, username: str | None = None) -> None:
        self.headers = headers or {"host": "127.0.0.1:7860"}
        self.username = username


def update(**kwargs: Any) -> dict[str, Any]:
    return {"__type__": "update", **kwargs}


def as_modules() -> dict[str, ModuleType]:
    gradio, context = ModuleType("gradio"), ModuleType("gradio.context")
    vars(gradio).update(
        {
            name: globals()[name]
            for name in (
                "Blocks",
                "Checkbox",
                "Slider",
                "Dropdown",
                "Number",
                "Textbox",
                "HTML",
                "Button",
                "State",
                "Row",
                "Group",
                "Accordion",
                "Request",
                "update",
            )
        }
    )
    vars(context)["Context"] = Context
    return {"gradio": gradio, "gradio.context": context}


def untick_counter() -> Any:
    """A page's state of the box; made here, since its module needs the host."""
    from stylus_ext.host.panel.wiring import UntickCounter

    return UntickCounter()

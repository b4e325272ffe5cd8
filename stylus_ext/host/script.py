"""The script that the host runs for every generation; switched off, it reads one value."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from stylus_ext.core.errors import InvalidInput, Note
from stylus_ext.host import compat
from stylus_ext.host.values import ValuesReading, is_on, read_values

logger = logging.getLogger(__name__)


TITLE = "Stylus"
TABS = ("txt2img", "img2img")
WATCHED = frozenset(
    {"prompt", "neg_prompt", "styles", "seed", "batch_count", "batch_size", "steps", "generate"}
)
AXES, WORK = "stylus_axes", "stylus_work"
_SCHEDULES = "stylus_ext.host.schedules"
_under_way: list[tuple[Any, Any]] = []
_hooked_grids: list[bool] = []


class StylusScript(compat.Script):
    """Hooks in the host's order: ui, setup, before_process, process, before_process_batch,
    process_batch, before_hr, postprocess_batch, postprocess_image, postprocess.
    """

    boxes: Mapping[str, Any] = MappingProxyType({})

    def title(self) -> str:
        return TITLE

    def show(self, is_img2img: bool) -> Any:  # noqa: ARG002
        return compat.ALWAYS_VISIBLE

    def after_component(self, component: Any, **kwargs: Any) -> None:
        tab, _, name = str(kwargs.get("elem_id") or "").partition("_")
        if tab == TABS[self.is_img2img] and name in WATCHED:
            self.boxes = {**self.boxes, name: component}

    def ui(self, is_img2img: bool) -> list[Any]:
        """Build the panel; called again for the API's defaults."""
        from stylus_ext.host.panel.layout import api_defaults, build_panel

        if "prompt" in self.boxes and not compat.on_this_page([self.boxes["prompt"]]):
            return api_defaults()
        panel = build_panel(TABS[is_img2img], self.boxes, self.on_after_component)
        self.infotext_fields = panel.infotext_fields
        self.paste_field_names = panel.paste_field_names
        return panel.controls

    def setup(self, p: Any, *args: Any) -> None:
        """Let copies of this `p`, such as the cells of a grid, share answers."""
        if is_on(args):
            p.stylus_answers, p.stylus_not_fetched = {}, {}

    def before_process(self, p: Any, *args: Any) -> None:
        """Turn a batch of several pictures into batches of one, before the host makes its lists."""
        if not _is_wanted(p, args) or compat.is_nested():
            return
        reading = _read(p, args)
        images = getattr(p, "init_images", None) or ()
        if (
            isinstance(reading, ValuesReading)
            and reading.values.vary_inside_batch
            and p.batch_size > 1
            and len(images) <= 1
            and not _makes_video()
        ):
            p.n_iter, p.batch_size = p.n_iter * p.batch_size, 1

    def process(self, p: Any, *args: Any) -> None:
        _end_batch()
        if not _is_wanted(p, args):
            _forget_fields(p)
            return
        if compat.is_nested():
            p.stylus_work = None
            return
        if getattr(p, WORK, None) is not None:  # ADetailer calls the hooks again, on a copy
            return
        from stylus_ext.host.generation import process

        p.stylus_work = process(p, _read(p, args))

    def before_process_batch(self, p: Any, *args: Any, **kwargs: Any) -> None:  # noqa: ARG002
        work = getattr(p, WORK, None)
        if work is None:
            return
        number = int(kwargs.get("batch_number", getattr(p, "iteration", 0)))
        note = work.before_batch(p, kwargs.get("prompts") or p.prompts, number, int(p.batch_size))
        if note is not None:
            compat.comment(p, note.text)

    def process_batch(self, p: Any, *args: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """Compare the batch's mask with what the host has loaded by now."""
        work = getattr(p, WORK, None)
        if work is None:
            return
        number = int(kwargs.get("batch_number", getattr(p, "iteration", 0)))
        note = work.after_loading(p, number, int(p.batch_size))
        work.begin_pass(p, number)
        if note is not None:
            compat.comment(p, note.text)

    def before_hr(self, p: Any, *args: Any) -> None:  # noqa: ARG002
        """The host has loaded the LoRAs of the second pass."""
        work = getattr(p, WORK, None)
        if work is not None:
            work.begin_pass(p, int(getattr(p, "iteration", 0)), second=True)

    def postprocess_batch(self, p: Any, *args: Any, **kwargs: Any) -> None:  # noqa: ARG002
        if getattr(p, WORK, None) is not None:
            _end_batch()

    def postprocess_image(self, p: Any, pp: Any, *args: Any) -> None:  # noqa: ARG002
        work = getattr(p, WORK, None)
        if work is not None:
            first = int(getattr(p, "iteration", 0)) * int(p.batch_size)
            work.of_made_image(p, first + int(getattr(p, "batch_index", 0)))
            _under_way[:] = [(p, work)]
            _hook_grids()

    def postprocess(self, p: Any, processed: Any, *args: Any) -> None:  # noqa: ARG002
        work = getattr(p, WORK, None)
        if work is not None:
            work.finish(p)
            p.stylus_work = None
            _under_way[:] = [pair for pair in _under_way if pair[0] is not p]


def forget_callbacks() -> None:
    """Called when the host has cleared its callbacks."""
    _hooked_grids.clear()
    if schedules := sys.modules.get(_SCHEDULES):
        schedules.forget_callback()


def _end_batch() -> None:
    """Restore what an earlier pass left, if any was scheduled; cheap where none was."""
    if schedules := sys.modules.get(_SCHEDULES):
        schedules.end_batch()


def _hook_grids() -> None:
    """Hook grids with the first picture, since callbacks cost time at the host's start."""
    if not _hooked_grids:
        _hooked_grids.append(True)
        compat.register((compat.script_callbacks.on_image_grid, before_grid))


def before_grid(params: Any) -> None:  # noqa: ARG001
    """Called by the host before it writes a grid's infotext."""
    for p, work in _under_way:
        work.of_grid(p)


def _is_wanted(p: Any, args: Sequence[Any]) -> bool:
    axes = getattr(p, AXES, None)
    return bool(axes["enabled"]) if axes and "enabled" in axes else is_on(args)


def _makes_video() -> bool:
    from stylus_ext.host.wan import makes_video

    return makes_video()


def _read(p: Any, args: Sequence[Any]) -> ValuesReading | Note:
    axes: Mapping[str, Any] = getattr(p, AXES, None) or {}
    try:
        return read_values(args, axes)
    except InvalidInput as error:
        return Note("refused", f"Stylus did nothing: {error}")


def _forget_fields(p: Any) -> None:
    """Remove the fields of the previous cell of a grid."""
    params = getattr(p, "extra_generation_params", None)
    if params and TITLE in params:
        from stylus_ext.host.infotext import forget

        forget(params)

"""Which host this is, and how it does things: the one room that knows `modules` and gradio. Each
difference names its version.

In: nothing, or the host's own objects. Out: plain values, so that the rest of `host` needs no host
to be understood.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import Any

import gradio as gr
from gradio import Request
from modules import script_callbacks, scripts, shared

logger = logging.getLogger(__name__)


__all__ = ["ALWAYS_VISIBLE", "Request", "Script", "gr", "script_callbacks"]

Script = scripts.Script
ALWAYS_VISIBLE = scripts.AlwaysVisible
_INNER = "process_images_inner"


def option(name: str, default: Any) -> Any:
    """An option of the host; extensions' own do not exist before their page was made (A1111 1.8,
    --nowebui).
    """
    value = getattr(shared.opts, name, default)
    return default if value is None else value


def command_line(name: str, default: Any = None) -> Any:
    """A flag of the host; `lora_dir` is missing where the built-in Lora extension is off."""
    return getattr(shared.cmd_opts, name, default)


def interrupted() -> bool:
    """Whether the user said stop; `stopping_generation` exists from A1111 1.8 on."""
    state = shared.state
    return bool(
        getattr(state, "interrupted", False) or getattr(state, "stopping_generation", False)
    )


def show_progress(text: str | None) -> None:
    """The line under the progress bar."""
    shared.state.textinfo = text


def comment(p: Any, text: str) -> None:
    """A line under the pictures; `p.comment` exists from A1111 1.6 on, and in its forks."""
    with contextlib.suppress(AttributeError):
        p.comment(text)


def data_path() -> Path:
    """Where the host keeps what is the user's."""
    from modules import paths_internal

    return Path(paths_internal.data_path)


def input_accordion() -> Any | None:
    """An accordion that is its own checkbox: A1111 1.6, reForge and Forge have it."""
    from modules import ui_components

    return getattr(ui_components, "InputAccordion", None)


def option_info() -> Any:
    return shared.OptionInfo


def add_options(section: tuple[str, str], infos: Mapping[str, Any]) -> None:
    for name, info in infos.items():
        info.section = section
        shared.opts.add_option(name, info)


def networks() -> Any | None:
    """The built-in Lora extension's module, where it is loaded; it is called so in A1111, reForge
    and Forge.
    """
    return sys.modules.get("networks")


def listed_stems() -> list[str]:
    """The names that this host finds when a tag says them: an alias of another file may stand in
    the way of one.
    """
    module = networks()
    files = dict(getattr(module, "available_networks", None) or {})
    aliases = getattr(module, "available_network_aliases", None) or {}
    forbidden = getattr(module, "forbidden_network_aliases", None) or {}
    return sorted(
        stem
        for stem, file in files.items()
        if stem.lower() in forbidden or aliases.get(stem, file) is file
    )


def listing() -> tuple[int, int]:
    """Changes when the host has listed its LoRAs anew; cheap enough to ask at every generation."""
    files = getattr(networks(), "available_networks", None) or {}
    return len(files), hash(frozenset(files))


def unlisted(names: Iterable[str]) -> list[str]:
    """Those that the host knows neither as a file's name nor as an alias."""
    module = networks()
    if module is None:
        return []
    known = {
        *(getattr(module, "available_networks", None) or {}),
        *(getattr(module, "available_network_aliases", None) or {}),
    }
    return sorted(name for name in set(names) if name not in known)


def gone_stems(stems: Iterable[str]) -> set[str]:
    """Listed still, but the file was taken away since: reForge and Forge load none of a picture's
    LoRAs where one is missing.
    """
    files = getattr(networks(), "available_networks", None) or {}
    paths = {stem: getattr(files.get(stem), "filename", None) for stem in stems}
    return {stem for stem, path in paths.items() if path and not Path(path).is_file()}


def listed_files() -> dict[str, Any]:
    """By name the built-in Lora extension's own objects, as far as a tag finds them."""
    files = getattr(networks(), "available_networks", None) or {}
    return {stem: files[stem] for stem in listed_stems()}


def cached_sha256(path: str, stem: str) -> str:
    """The sum of the whole file, where some extension has had it made; nothing is hashed.
    `sha256_from_cache` is in all three.
    """
    try:
        from modules import hashes
    except ImportError:
        return ""
    asked = getattr(hashes, "sha256_from_cache", None)
    return str(asked(path, f"lora/{stem}") or "").lower() if asked is not None and path else ""


def lora_folders() -> list[str]:
    """`lyco_dir_backcompat` is A1111's and reForge's; Forge has one folder."""
    stated = [command_line("lora_dir"), command_line("lyco_dir_backcompat")]
    return [
        str(Path(folder).absolute())
        for folder in dict.fromkeys(stated)
        if folder and Path(folder).is_dir()
    ]


def loaded_model() -> Any | None:
    """The model in memory, if one is: `shared.sd_model` would load it (A1111, reForge)."""
    from modules import sd_models

    return getattr(getattr(sd_models, "model_data", None), "sd_model", None)


def checkpoint_info(model: Any | None) -> Any | None:
    """Of the model, else the one that is selected: Forge loads as late as with the first
    picture.
    """
    from modules import sd_models

    info = getattr(model, "sd_checkpoint_info", None)
    if info is not None:
        return info
    aliases = getattr(sd_models, "checkpoint_aliases", None) or {}
    return aliases.get(option("sd_model_checkpoint", ""))


def is_nested() -> bool:
    """Whether this generation runs inside another one, as ADetailer's face pass does: the host's
    loop is on the stack twice.
    """
    frame: FrameType | None = sys._getframe(1)
    found = 0
    while frame is not None:
        found += frame.f_code.co_name == _INNER
        if found > 1:
            return True
        frame = frame.f_back
    return False


def _comments() -> Any | None:
    """reForge's own reader of comments, which its infotexts go through; A1111 and Forge have none
    there.
    """
    return getattr(sys.modules.get("modules.processing"), "comments_parser", None)


def without_comments(text: str) -> str:
    """reForge takes away `// ...` and `/* ... */` as well, after our hook: a tag behind such a sign
    would go with it.
    """
    reader = _comments()
    return (
        str(reader.strip_comments(text))
        if reader is not None and any(sign in text for sign in ("//", "/*", "*/"))
        else text
    )


def tells_boxes() -> bool:
    """reForge's "Save comments": its infotexts then have the two boxes' texts, whatever the
    pictures' own were.
    """
    return _comments() is not None and bool(option("enable_prompt_comments_def", False))


def told_by_grid(latest: int, batch_size: int) -> int:
    """Which picture a grid's infotext is of: the first one, but on reForge the first of the last
    batch.
    """
    return 0 if _comments() is None else latest - latest % max(1, batch_size)


def read_infotext(text: str) -> dict[str, Any]:
    """`infotext_utils` is A1111 1.8's name; before, and still as an alias, it was
    `generation_parameters_copypaste`.
    """
    try:
        from modules import infotext_utils as reader
    except ImportError:
        from modules import generation_parameters_copypaste as reader
    return dict(reader.parse_generation_parameters(text))


def describe(image: Any) -> str:
    """What the host's interrogator sees, if it is in memory already; loading it would download and
    take the GPU's memory.
    """
    interrogator = getattr(shared, "interrogator", None)
    if interrogator is None or getattr(interrogator, "blip_model", None) is None:
        return ""
    return str(interrogator.interrogate(image.convert("RGB")))


def xyz_grid() -> Any | None:
    """The host's X/Y/Z script: 'xyz_grid.py' in all three, 'scripts.xyz_grid' in older ones."""
    names = ("xyz_grid.py", "scripts.xyz_grid")
    return next(
        (data.module for data in scripts.scripts_data if data.script_class.__module__ in names),
        None,
    )


def on_this_page(components: Sequence[Any]) -> bool:
    """Whether events may be wired: `ui()` is called again outside the page, for the API's
    defaults.
    """
    from gradio.context import Context

    blocks = getattr(Context.root_block, "blocks", {})
    return all(
        component is not None and getattr(component, "_id", None) in blocks
        for component in components
    )


def long_event() -> Mapping[str, Any]:
    """For one that goes on for minutes: gradio 4 (Forge) runs it once at a time for all browsers
    unless it is told otherwise.
    """
    parallel = (
        {"concurrency_limit": None} if str(getattr(gr, "__version__", "")).startswith("4.") else {}
    )
    return {"show_progress": "hidden", **parallel}


def browser_script(code: str) -> Mapping[str, Any]:
    """For an event's part that runs in the page: gradio 3 calls it `_js`, gradio 4 (Forge) `js`."""
    return {"js" if str(getattr(gr, "__version__", "")).startswith("4.") else "_js": code}


def has_queue() -> bool:
    """Without one (--no-gradio-queue) gradio 3 refuses events that answer more than once."""
    return not command_line("no_gradio_queue", False)


def flags() -> Any:
    """The host's whole command line, for the guard."""
    return shared.cmd_opts


def may(kind: str, request: Any) -> str:
    """Why the page's event is refused, or nothing: gradio's events are a way in, as the routes
    are.
    """
    from stylus_ext.host.guard import Guard

    return Guard(shared.cmd_opts).allows(kind, request) or ""


_GENERATING = frozenset({"txt2img", "img2img", "txt2img_upscale"})
_SUFFIX = "_function"  # of Forge and reForge, in the thread that makes the pictures


def list_anew(stems: Iterable[str]) -> None:
    """Has the host look into its folders if it does not list these yet.

    Called where pictures are made (HOST.md e): the host empties its list first, and must not be
    just reading it.
    """
    module = networks()
    listing = getattr(module, "list_available_networks", None)
    files = getattr(module, "available_networks", None) or {}
    if listing is None or all(stem in files for stem in stems):
        return
    try:
        listing()
    except OSError as error:  # a folder that is gone, or a file that is being written
        logger.warning("the host could not list its LoRAs anew: %s", error)


def skipped() -> bool:
    return bool(getattr(shared.state, "skipped", False))


def forget_skip() -> None:
    """One that was pressed before this wait was meant for something else; the host itself forgets
    it with every batch.
    """
    shared.state.skipped = False


def at_work() -> bool:
    """Whether the host is making pictures, or about to."""
    return bool(getattr(shared.state, "job", ""))


def refusal(p: Any, kind: str = "download") -> str:
    """Why this generation may not do that (fetch, or spend), or nothing: the guard stands before
    the page and before the API.
    """
    from stylus_ext.host.guard import Guard

    over_api = bool(getattr(p, "is_api", False))
    request = None if over_api else asked_by()
    guard = Guard(flags())
    return (guard.at_door(kind, over_api) if request is None else guard.allows(kind, request)) or ""


def asked_by() -> Any | None:
    """The request of the page that wants this picture. The hosts pass it no further than their own
    function, which is on the stack; an API call has none there.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_name.removesuffix(_SUFFIX) in _GENERATING:
            found = frame.f_locals.get("request")
            if isinstance(found, Request):
                return found
        frame = frame.f_back
    return None


Pair = tuple[Callable[[Any], object], Callable[..., Any]]


def register(*pairs: Pair) -> None:
    """As `hook(callback)` for each pair, errors included."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(_register, pairs).result()


def _register(pairs: tuple[Pair, ...]) -> None:
    """The frame nearest to the host is one of this extension, by which the host knows whose the
    callbacks are.
    """
    for hook, callback in pairs:
        hook(callback)

"""Differences between hosts: the only module that knows `modules` and gradio.

Each function names the versions it is for and returns plain values.
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
_GRADIO_4 = 4
_SAVE_COMMENTS = "save_prompt_comments"
_PICTURES = ("png", "jpg", "jpeg", "webp")


def option(name: str, default: Any) -> Any:
    """An option of the host; an extension's own exist only after its page was made (1.8,
    --nowebui).
    """
    value = getattr(shared.opts, name, default)
    return default if value is None else value


def interrupted() -> bool:
    """True if the user interrupted; `stopping_generation` exists since A1111 1.8."""
    state = shared.state
    return bool(
        getattr(state, "interrupted", False) or getattr(state, "stopping_generation", False)
    )


def show_progress(text: str | None) -> None:
    """Set the text under the progress bar."""
    shared.state.textinfo = text


def comment(p: Any, text: str) -> None:
    """Add a line under the pictures; `p.comment` exists since A1111 1.6 and in the forks."""
    with contextlib.suppress(AttributeError):
        p.comment(text)


def data_path() -> Path:
    """The host's folder for user data."""
    from modules import paths_internal

    return Path(paths_internal.data_path)


def input_accordion() -> Any | None:
    """The accordion with a checkbox of A1111 1.6, reForge and Forge, or None."""
    from modules import ui_components

    return getattr(ui_components, "InputAccordion", None)


def option_info() -> Any:
    return shared.OptionInfo


def option_heading() -> Any:
    return shared.OptionHTML


def add_options(section: tuple[str, str], infos: Mapping[str, Any]) -> None:
    for name, info in infos.items():
        info.section = section
        shared.opts.add_option(name, info)


def networks() -> Any | None:
    """The built-in Lora extension's module, if loaded; same name in A1111, reForge and Forge."""
    return sys.modules.get("networks")


def available() -> Mapping[str, Any]:
    """The Lora extension's objects by stem."""
    return getattr(networks(), "available_networks", None) or {}


def listed_stems() -> list[str]:
    """Stems that tags resolve to; an alias of another file can hide one."""
    module = networks()
    files = dict(available())
    aliases = getattr(module, "available_network_aliases", None) or {}
    forbidden = getattr(module, "forbidden_network_aliases", None) or {}
    return sorted(
        stem
        for stem, file in files.items()
        if stem.lower() in forbidden or aliases.get(stem, file) is file
    )


def listing() -> tuple[int, int]:
    """Changes when the host lists its LoRAs again; cheap."""
    files = available()
    return len(files), hash(frozenset(files))


def unlisted(names: Iterable[str]) -> list[str]:
    """Names that the host knows neither as stem nor as alias."""
    module = networks()
    if module is None:
        return []
    known = {*available(), *(getattr(module, "available_network_aliases", None) or {})}
    return sorted(name for name in set(names) if name not in known)


def gone_stems(stems: Iterable[str]) -> set[str]:
    """Listed stems without a file: with one of these, reForge and Forge load no LoRA at all."""
    files = available()
    paths = {stem: getattr(files.get(stem), "filename", None) for stem in stems}
    return {stem for stem, path in paths.items() if path and not Path(path).is_file()}


def listed_files() -> dict[str, Any]:
    """The Lora extension's objects by stem, as far as tags find them."""
    files = available()
    return {stem: files[stem] for stem in listed_stems()}


def has_picture(files: Mapping[str, Any], entry: Mapping[str, Any]) -> bool:
    """True if an entry has a picture beside its file, or a preview in the catalogue."""
    return picture_path(files, entry.get("stem")) is not None or bool(entry.get("preview"))


def picture_path(files: Mapping[str, Any], stem: object) -> Path | None:
    """The preview picture that the host shows for a listed file."""
    if not isinstance(stem, str) or stem not in files:
        return None
    path = Path(str(getattr(files[stem], "filename", files[stem])))
    names = (f"{path.stem}{middle}.{end}" for middle in ("", ".preview") for end in _PICTURES)
    return next((picture for name in names if (picture := path.with_name(name)).is_file()), None)


def cached_sha256(path: str, stem: str) -> str:
    """SHA256 from the host's cache, or empty; nothing is hashed."""
    try:
        from modules import hashes
    except ImportError:
        return ""
    lookup = getattr(hashes, "sha256_from_cache", None)
    return str(lookup(path, f"lora/{stem}") or "").lower() if lookup is not None and path else ""


def lora_folders() -> list[str]:
    """LoRA folders, that for downloads first.

    The list `lora_dirs` exists in Forge Neo, `lyco_dir_backcompat` in A1111 and reForge.
    """
    main, more, lyco = (
        getattr(shared.cmd_opts, name, None)
        for name in ("lora_dir", "lora_dirs", "lyco_dir_backcompat")
    )
    return existing_folders([main, *(more if isinstance(more, (list, tuple)) else ()), lyco])


def existing_folders(folders: Iterable[Any]) -> list[str]:
    absolute = dict.fromkeys(Path(folder).absolute() for folder in folders if folder)
    return [str(folder) for folder in absolute if folder.is_dir()]


def loaded_model() -> Any | None:
    """The model in memory, if any; reading `shared.sd_model` would load it (A1111, reForge)."""
    from modules import sd_models

    return getattr(getattr(sd_models, "model_data", None), "sd_model", None)


def checkpoint_info(model: Any | None) -> Any | None:
    """Info of the loaded model, else of the selected one: Forge loads with the first picture."""
    from modules import sd_models

    info = getattr(model, "sd_checkpoint_info", None)
    if info is not None:
        return info
    aliases = getattr(sd_models, "checkpoint_aliases", None) or {}
    return aliases.get(option("sd_model_checkpoint", ""))


def is_nested() -> bool:
    """True inside another generation (ADetailer): the host's loop is on the stack twice."""
    frame: FrameType | None = sys._getframe(1)
    found = 0
    while frame is not None:
        found += frame.f_code.co_name == _INNER
        if found > 1:
            return True
        frame = frame.f_back
    return False


def _comments() -> Any | None:
    """reForge's comment parser, used for its infotexts; None elsewhere."""
    return getattr(sys.modules.get("modules.processing"), "comments_parser", None)


def without_comments(text: str) -> str:
    """Remove `//` and `/* */`, as reForge and Forge Neo do after us: a tag could vanish."""
    return strip_comments(text) if any(sign in text for sign in ("//", "/*", "*/")) else text


def strip_comments(text: str) -> str:
    """Remove what the host itself removes as comments; in A1111 and Forge nothing."""
    reader = _comments()
    if reader is None and option(_SAVE_COMMENTS, None) is not None:
        reader = _script_module(("comments.py",))
    strip = getattr(reader, "strip_comments", None)
    return text if strip is None else str(strip(text))


def tells_boxes() -> bool:
    """True with reForge's "Save comments": its infotexts then contain the boxes' texts."""
    return _comments() is not None and bool(option("enable_prompt_comments_def", False))


def saves_comments() -> bool:
    """True with Forge Neo's "Save Raw Comments"."""
    return bool(option(_SAVE_COMMENTS, False))


def saved_prompts(p: Any) -> tuple[list[str], list[str]] | None:
    """Forge Neo's own copies of the prompts, which its infotexts get with "Save Raw Comments"."""
    copies = getattr(p, "_all_prompts_c", None), getattr(p, "_all_negative_prompts_c", None)
    positive, negative = copies if saves_comments() else (None, None)
    return None if positive is None or negative is None else (positive, negative)


def picture_of_grid_infotext(p: Any, latest: int) -> int:
    """Index of the picture whose infotext the grid gets: the first.

    reForge, and Forge Neo with "Save Raw Comments": the first of the last batch.
    """
    is_last = _comments() is not None or saved_prompts(p) is not None
    return latest - latest % max(1, int(p.batch_size)) if is_last else 0


def read_infotext(text: str) -> dict[str, Any]:
    """Parse an infotext; the module was `generation_parameters_copypaste` before A1111 1.8."""
    try:
        from modules import infotext_utils as reader
    except ImportError:
        from modules import generation_parameters_copypaste as reader
    return dict(reader.parse_generation_parameters(text))


def describe(image: Any) -> str:
    """The interrogator's caption, if its models are in memory: loading downloads, takes VRAM."""
    interrogator: Any = getattr(shared, "interrogator", None)
    if any(getattr(interrogator, name, None) is None for name in ("blip_model", "clip_model")):
        return ""
    return str(interrogator.interrogate(image.convert("RGB")))


def xyz_axes() -> tuple[list[Any], Callable[..., Any]] | None:
    """The host's X/Y/Z axes and their class: in its script, in later Forge Neo in `lib_xyz`."""
    script = _script_module(("xyz_grid.py", "scripts.xyz_grid"))
    axes = getattr(script, "axis_options", None)
    kind = getattr(script, "AxisOption", None)
    if axes is None:
        axes = getattr(sys.modules.get("lib_xyz.builtins"), "builtin_options", None)
    if kind is None:
        kind = getattr(sys.modules.get("lib_xyz.classes"), "AxisOption", None)
    return None if axes is None or kind is None else (axes, kind)


def _script_module(names: Sequence[str]) -> Any | None:
    """The module of a script of the host, by the names that it has in its versions."""
    found = (data for data in scripts.scripts_data if data.script_class.__module__ in names)
    return next((data.module for data in found), None)


def on_this_page(components: Sequence[Any]) -> bool:
    """True if events may be wired: `ui()` also runs outside the page, for API defaults."""
    from gradio.context import Context

    blocks = getattr(Context.root_block, "blocks", {})
    return all(
        component is not None and getattr(component, "_id", None) in blocks
        for component in components
    )


def _has_gradio_4() -> bool:
    """False with gradio 3 (A1111, reForge, Forge Classic), True from 4 on (Forge, Forge Neo)."""
    return int(str(getattr(gr, "__version__", "3")).partition(".")[0]) >= _GRADIO_4


def long_event() -> Mapping[str, Any]:
    """Arguments for events of minutes: gradio from 4 on otherwise runs one at a time."""
    return {"show_progress": "hidden", **({"concurrency_limit": None} if _has_gradio_4() else {})}


def browser_script(code: str) -> Mapping[str, Any]:
    """JavaScript part of an event: `_js` in gradio 3, `js` from gradio 4 on."""
    return {"js" if _has_gradio_4() else "_js": code}


def has_queue() -> bool:
    """True with a queue; without (--no-gradio-queue) gradio 3 refuses streaming events."""
    return not getattr(shared.cmd_opts, "no_gradio_queue", False)


def flags() -> Any:
    """The host's parsed command line, for the guard."""
    return shared.cmd_opts


def may(kind: str, request: Any) -> str:
    """Reason to refuse this page event, or empty; gradio events are guarded like routes."""
    from stylus_ext.host.guard import Guard

    return Guard(shared.cmd_opts).allows(kind, request) or ""


_GENERATING = frozenset({"txt2img", "img2img", "txt2img_upscale"})
_SUFFIX = "_function"  # of Forge and reForge, in the thread that makes the pictures


def list_anew(stems: Iterable[str]) -> None:
    """Make the host list its folders again if stems are missing.

    Call where pictures are made: the host empties its list first and must not be reading it.
    """
    listing, files = getattr(networks(), "list_available_networks", None), available()
    if listing is None or all(stem in files for stem in stems):
        return
    try:
        listing()
    except OSError as error:  # a folder that is gone, or a file that is being written
        logger.warning("the host could not list its LoRAs anew: %s", error)


def skipped() -> bool:
    return bool(getattr(shared.state, "skipped", False))


def forget_skip() -> None:
    """Clear a Skip pressed before; the host clears it with every batch."""
    shared.state.skipped = False


def at_work() -> bool:
    """True while the host makes pictures or is about to."""
    return bool(getattr(shared.state, "job", ""))


def refusal(p: Any, kind: str = "download") -> str:
    """Reason why this generation may not download or spend, or empty."""
    from stylus_ext.host.guard import Guard

    over_api = bool(getattr(p, "is_api", False))
    request = None if over_api else page_request()
    guard = Guard(flags())
    return (guard.at_door(kind, over_api) if request is None else guard.allows(kind, request)) or ""


def page_request() -> Any | None:
    """The page request of this generation, found on the stack; None for API calls."""
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
    """Call `hook(callback)` for each pair in a thread with a short stack; raises its errors."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(_register, pairs).result()


def _register(pairs: tuple[Pair, ...]) -> None:
    """Call the hooks from a frame of this extension, by which the host attributes callbacks."""
    for hook, callback in pairs:
        hook(callback)

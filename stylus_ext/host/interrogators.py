"""The host's own interrogators: BLIP and DeepBooru of A1111, reForge and Forge.

Forge Classic and Forge Neo have none.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from modules import shared

from stylus_ext.core.errors import Unavailable

_LONGEST_REASON = 200


@dataclass(frozen=True, slots=True)
class Weights:
    """The file that the host downloads by itself at first use, and where it looks for it."""

    folder: str
    ends: tuple[str, ...]
    url: str
    mb: int
    also: str = ""
    """What the host's code fetches besides."""

    @property
    def site(self) -> str:
        return self.url.split("/")[2]

    def is_on_disk(self) -> bool:
        folder = _models_path() / self.folder
        return any(path.suffix in self.ends for path in folder.rglob("*") if path.is_file())

    def fetch(self) -> None:
        """Have the host download the file, as it does at first use; its loader hides errors."""
        if self.is_on_disk():
            return
        loader = importlib.import_module("modules.modelloader")
        loader.load_models(
            model_path=str(_models_path() / self.folder),
            model_url=self.url,
            ext_filter=list(self.ends),
            download_name=self.url.rsplit("/", 1)[-1],
        )
        if not self.is_on_disk():
            raise Unavailable(
                f"The WebUI could not download {self.url}. Try again later, or put the file into"
                f" models/{self.folder}."
            )


BLIP_WEIGHTS = Weights(
    "BLIP",
    (".pth",),
    "https://storage.googleapis.com/sfr-vision-language-research/BLIP/models/"
    "model_base_caption_capfilt_large.pth",
    900,
    "a word list of 0.2 MB from huggingface.co",
)
DEEPBOORU_WEIGHTS = Weights(
    "torch_deepdanbooru",
    (".pt",),
    "https://github.com/AUTOMATIC1111/TorchDeepDanbooru/releases/download/v1/"
    "model-resnet_custom_v3.pt",
    640,
)


class HostInterrogator(Protocol):
    """Captions pictures; `load` and `caption` are called while nothing else uses the GPU."""

    name: str
    title: str
    weights: Weights

    def load(self) -> None: ...

    def caption(self, image: Any) -> str: ...

    def release(self) -> None: ...


class Blip:
    """The sentence of `shared.interrogator`, without its CLIP phrases, which need another model."""

    name, title, weights = "blip", "BLIP", BLIP_WEIGHTS

    def __init__(self, owner: Any) -> None:
        self._owner = owner
        self._code = sys.modules[type(owner).__module__]
        self._loaded_here = False

    @property
    def _uses_patchers(self) -> bool:
        """True in reForge and Forge, whose memory management moves models by itself."""
        return hasattr(self._owner, "blip_patcher")

    def load(self) -> None:
        owner = self._owner
        if owner.blip_model is not None:
            return
        model = owner.load_blip_model()
        if self._uses_patchers:
            model = model.to(device=owner.offload_device, dtype=owner.dtype)
            owner.blip_patcher = self._code.ModelPatcher(
                model, load_device=owner.load_device, offload_device=owner.offload_device
            )
        elif not (shared.cmd_opts.no_half or owner.running_on_cpu):
            model = model.half()
        owner.blip_model, self._loaded_here = model, True

    def caption(self, image: Any) -> str:
        owner = self._owner
        if self._uses_patchers:
            memory = getattr(self._code, "model_management", None) or self._code.memory_management
            memory.load_models_gpu([owner.blip_patcher])
            return str(owner.generate_caption(image))
        devices = self._code.devices
        self._code.lowvram.send_everything_to_cpu()
        devices.torch_gc()
        owner.blip_model = owner.blip_model.to(devices.device_interrogate)
        owner.dtype = next(owner.blip_model.parameters()).dtype
        try:
            return str(owner.generate_caption(image))
        finally:
            owner.send_blip_to_ram()
            devices.torch_gc()

    def release(self) -> None:
        """Free the model, unless the user had loaded it."""
        if self._loaded_here:
            self._owner.blip_model = None
            if self._uses_patchers:
                self._owner.blip_patcher = None
            self._code.devices.torch_gc()


class DeepBooru:
    name, title, weights = "deepbooru", "DeepBooru", DEEPBOORU_WEIGHTS

    def __init__(self, owner: Any) -> None:
        self._owner = owner
        self._loaded_here = False

    def load(self) -> None:
        self._loaded_here = self._owner.model is None
        self._owner.load()

    def caption(self, image: Any) -> str:
        self._owner.start()
        try:
            return str(self._owner.tag_multi(image, force_disable_ranks=True))
        finally:
            self._owner.stop()

    def release(self) -> None:
        """Free the model, unless the user had loaded it."""
        if self._loaded_here:
            self._owner.model = None
            if hasattr(self._owner, "patcher"):
                self._owner.patcher = None


def available() -> list[HostInterrogator]:
    """The interrogators of this host; empty in Forge Classic and Forge Neo."""
    found: list[HostInterrogator] = []
    owner = getattr(shared, "interrogator", None)
    if hasattr(owner, "load_blip_model") and hasattr(owner, "generate_caption"):
        found.append(Blip(owner))
    try:
        tagger = getattr(importlib.import_module("modules.deepbooru"), "model", None)
    except ImportError:
        tagger = None
    if hasattr(tagger, "tag_multi"):
        found.append(DeepBooru(tagger))
    return found


def attempt(interrogator: HostInterrogator, act: Callable[[], Any], what: str) -> Any:
    """Do something with an interrogator; its error as one sentence."""
    try:
        return act()
    except Unavailable:
        raise
    except Exception as error:
        lines = str(error).strip().splitlines() or [""]
        reason = f"{type(error).__name__}: {lines[0]}"[:_LONGEST_REASON].rstrip(" .:")
        raise Unavailable(f"{interrogator.title} could not be {what}: {reason}.") from error


def _models_path() -> Path:
    from modules import paths_internal

    return Path(paths_internal.models_path)

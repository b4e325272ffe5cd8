"""`<styleinject:name:weight>`: an extra network that hooks StyleInject adapters into the UNet.

The hooks exist from the network's activation, which the host does before every batch and before the
hires pass, until the batch is sampled, whether sampling succeeds or not.
"""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from stylus_ext.core.errors import InvalidInput
from stylus_ext.core.family import display_name, ecosystem
from stylus_ext.core.weight_formats import STYLEINJECT
from stylus_ext.host import compat
from stylus_ext.host.checkpoint import find_family, loaded_checkpoint

logger = logging.getLogger(__name__)

Key = tuple[str, int, int]


def register_network() -> None:
    """Register the network; the host forgets all networks when it starts and reloads its page."""
    from modules import extra_networks

    extra_networks.register_extra_network(StyleInjectNetwork())


class StyleInjectNetwork:
    """Keeps the adapters of the last activation in memory."""

    name = STYLEINJECT

    def __init__(self) -> None:
        self._attached: list[Any] = []
        self._loaded: dict[Key, Any] = {}

    def activate(self, p: Any, params_list: Sequence[Any]) -> None:
        """Replace the hooks by those of these tags; called by the host, also without tags."""
        self._detach()
        used: dict[Key, Any] = {}
        for params in params_list:
            try:
                self._attach(params, used)
            except (InvalidInput, OSError) as error:
                logger.warning("%s", error)
                compat.comment(p, str(error))
        if params_list:
            self._loaded = used
        if self._attached:
            after_sampling(p, self._detach)

    def deactivate(self, p: Any) -> None:  # noqa: ARG002
        self._detach()

    def _detach(self) -> None:
        for attached in self._attached:
            attached.detach()
        self._attached.clear()

    def _attach(self, params: Any, used: dict[Key, Any]) -> None:
        name, weight = _name_and_weight(params.positional)
        if weight == 0:
            return
        from stylus_ext.styleinject.adapter import attach
        from stylus_ext.styleinject.files import load

        path = find_file(name)
        status = path.stat()
        key = (str(path), status.st_mtime_ns, status.st_size)
        adapter = used.get(key) or self._loaded.get(key) or load(path)
        used[key] = adapter
        _check_family(name, adapter.base_family)
        self._attached.append(attach(adapter, loaded_unet(), weight))


def _name_and_weight(positional: Sequence[Any]) -> tuple[str, float]:
    name = str(positional[0]) if positional else ""
    try:
        weight = float(positional[1]) if len(positional) > 1 else 1.0
    except ValueError:
        weight = math.nan
    if not math.isfinite(weight):
        raise InvalidInput(f"<styleinject:{name}>: the weight is no number. Correct the tag.")
    return name, weight


def find_file(name: str) -> Path:
    """The StyleInject file of this name in the LoRA folders; its header decides what it is."""
    from stylus_ext.styleinject.files import is_styleinject

    listed = getattr(compat.available().get(name), "filename", None)
    files = [Path(listed)] if listed else []
    wanted = f"{name}.safetensors"
    for folder in map(Path, compat.lora_folders()):
        files += [path for path in folder.rglob("*.safetensors") if path.name == wanted]
    found = next((path for path in files if is_styleinject(path)), None)
    if found is None:
        raise InvalidInput(f"There is no StyleInject file {wanted} in the LoRA folders.")
    return found


def _check_family(name: str, base_family: str) -> None:
    family = find_family(loaded_checkpoint(), None)
    if base_family and family.known and ecosystem(base_family) != ecosystem(family.family):
        raise InvalidInput(
            f"{name} is for {display_name(base_family)}, and the loaded model is"
            f" {display_name(family.family)}: it was left out."
        )


def loaded_unet() -> Any:
    """The UNet in use: of the Forge family in its patcher, of A1111 in the model itself."""
    model = compat.loaded_model()
    patcher = getattr(getattr(model, "forge_objects", None), "unet", None)
    inner = getattr(patcher, "model", None) or getattr(model, "model", None)
    unet = getattr(inner, "diffusion_model", None)
    if unet is None:
        raise InvalidInput("StyleInject finds no UNet in the loaded model.")
    if getattr(sys.modules.get("modules.sd_unet"), "current_unet", None) is not None:
        raise InvalidInput(
            "StyleInject cannot change the UNet chosen in the settings (SD Unet). Set it to None."
        )
    return unet


def after_sampling(p: Any, action: Callable[[], None]) -> None:
    """Do this when `p.sample` returns or raises, once."""
    before = vars(p).get("sample")
    sample = getattr(p, "sample", None)
    if sample is None or getattr(before, "is_stylus", False):
        return

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return sample(*args, **kwargs)
        finally:
            if vars(p).get("sample") is wrapped:
                if before is None:
                    del p.sample
                else:
                    p.sample = before
            action()

    wrapped.is_stylus = True  # type: ignore[attr-defined]
    p.sample = wrapped

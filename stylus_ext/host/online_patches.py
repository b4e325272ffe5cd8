"""Forge Neo without LoRA Control: strengths of LoRAs that are added in each call of the model.

The host keeps no file name with a patch, so the function that reads a file is watched for a batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from stylus_ext.core.schedules import Schedule, weight_at
from stylus_ext.host import compat

_READER = "load_lora_for_models"
_FUNCTIONS = ("weight_function", "bias_function")


def are_readable() -> bool:
    """True if the host has what is watched and changed here."""
    return hasattr(compat.networks(), _READER) and _model() is not None


def _model() -> Any | None:
    model = compat.loaded_model()
    has_both = hasattr(model, "current_lora_hash") and hasattr(model, "forge_objects")
    return model if has_both else None


class OnlinePatches:
    """Changes the strengths in place, and puts the host's own patches back."""

    def __init__(self) -> None:
        self._reader: Any = None
        self._files: dict[int, tuple[Any, str]] = {}
        self._wanted: dict[str, Schedule] = {}
        self._found: list[tuple[list[Any], int, Any, Schedule]] | None = None

    def most_changes(self, steps: int) -> int:
        return steps

    def prepare(self) -> None:
        """Have the host read the files of the next tags, and note which patches are from which."""
        module, model = compat.networks(), _model()
        if module is None or model is None:
            return
        reader = self._reader = getattr(module, _READER)

        def load(*arguments: Any, **named: Any) -> Any:
            unet, clip = reader(*arguments, **named)
            for patches in unet.patches.values():
                for patch in patches:
                    self._files.setdefault(id(patch[1]), (patch[1], named.get("filename", "")))
            return unet, clip

        setattr(module, _READER, load)
        model.current_lora_hash = str([])

    def begin(self, schedules: Mapping[str, Schedule]) -> None:
        known = getattr(compat.networks(), "available_network_aliases", {})
        self._wanted = {
            known[stem].filename: schedule for stem, schedule in schedules.items() if stem in known
        }

    def at(self, step: int, steps: int) -> None:
        if self._found is None:
            self._found = list(self._patches())
        for patches, place, patch, schedule in self._found:
            patches[place] = (weight_at(schedule, step, steps), *patch[1:])

    def _patches(self) -> Iterator[tuple[list[Any], int, Any, Schedule]]:
        """The scheduled patches where the layers take them from."""
        model = _model()
        for layer in () if model is None else model.forge_objects.unet.model.modules():
            functions = [each for name in _FUNCTIONS for each in getattr(layer, name, None) or ()]
            for each in functions:
                patches = getattr(each, "patches", {}).get(getattr(each, "key", None), [])
                for place, patch in enumerate(patches):
                    _, file = self._files.get(id(patch[1]), (None, ""))
                    if file in self._wanted:
                        yield patches, place, patch, self._wanted[file]

    def restore(self) -> None:
        for patches, place, patch, _ in self._found or ():
            patches[place] = patch
        self._found = None

    def finish(self) -> None:
        if self._reader is not None:
            setattr(compat.networks(), _READER, self._reader)
        self._reader, self._files = None, {}

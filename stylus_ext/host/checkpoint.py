"""The loaded checkpoint's family, without loading a model.

In order: the user's choice, a sidecar, the file's metadata, a known hash, its name, its
architecture.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stylus_ext.core.family import UNKNOWN, ecosystem, family_of, known_families
from stylus_ext.core.files import write_file

_LARGEST = 4 * 1024 * 1024


def object_at(path: Path) -> Mapping[str, Any]:
    try:
        if path.stat().st_size > _LARGEST:
            return {}
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


_HASHES = {
    "6ce0161689b3853acaa03779ec93eafe75a02f4ced659bee03f50797806fa2fa": "sd1",
    "31e35c80fc4829d14f90153f4c74cd59c90b779f6afe05a74cd6120b893f7e5b": "sdxl",
    "67ab2fd8ec439a89b3fedb15cc65f54336af163c7eb5e4f2acc98f090a29b0b3": "pony",
}
_NAMES = (
    (r"noob", "noobai"),
    (r"illustrious|(?<![a-z])ilxl|(?<![a-z])il(?![a-z])", "illustrious"),
    (r"pony|pdxl", "pony"),
    (r"flux[-_. ]?2", "flux2"),
    (r"flux|schnell", "flux1"),
    (r"(?<![a-z])sd[-_ ]?3|sd3\.?5", "sd3"),
    (r"sdxl|(?<![a-z])xl(?![a-z])|xl(?=[-_. v\d]|$)", "sdxl"),
    (r"(?<![a-z])sd[-_ ]?v?2", "sd2"),
    (r"(?<![a-z])sd[-_ ]?v?1|v1-5|(?<![a-z\d])sd15", "sd1"),
)
_FLAGS = (
    ("is_sd3", "sd3"),
    ("is_sdxl", "sdxl"),
    ("is_ssd", "sdxl"),
    ("is_sd2", "sd2"),
    ("is_sd1", "sd1"),
)
_CLASSES = {
    "flux": "flux1",
    "stablediffusion3": "sd3",
    "stablediffusionxl": "sdxl",
    "stablediffusion2": "sd2",
    "stablediffusion": "sd1",
    "chroma": "chroma",
}


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What the host knows without loading; `architecture` is empty until a model is in memory."""

    title: str = ""
    file: str = ""
    sha256: str = ""
    metadata: Mapping[str, str] | None = None
    architecture: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    family: str
    because: str

    @property
    def known(self) -> bool:
        return self.family != UNKNOWN


def checkpoint_of(info: Any | None, model: Any | None) -> Checkpoint:
    """Read the host's objects, whose attributes differ between versions."""
    metadata = getattr(info, "metadata", None)
    return Checkpoint(
        title=str(getattr(info, "name_for_extra", None) or getattr(info, "name", "") or ""),
        file=str(getattr(info, "filename", "") or ""),
        sha256=str(getattr(info, "sha256", "") or ""),
        metadata=(
            {str(name): str(value) for name, value in metadata.items()}
            if isinstance(metadata, Mapping)
            else None
        ),
        architecture=_architecture(model),
    )


def find_family(checkpoint: Checkpoint, remembered: str | None) -> Finding:
    """The first source with an answer that this architecture allows."""
    for because, family in _statements(checkpoint, remembered):
        if family == UNKNOWN or family not in known_families():
            continue
        if (
            because != "you said so"
            and checkpoint.architecture
            and ecosystem(family) != ecosystem(checkpoint.architecture)
        ):
            continue
        return Finding(family, because)
    return Finding(UNKNOWN, "nothing says what it is")


def _statements(checkpoint: Checkpoint, remembered: str | None) -> Iterator[tuple[str, str]]:
    yield "you said so", remembered or UNKNOWN
    yield "its sidecar", _sidecar(checkpoint.file)
    yield "its metadata", _modelspec(checkpoint.metadata or {})
    yield "its hash", _HASHES.get(checkpoint.sha256.lower(), UNKNOWN)
    yield "its name", _named(checkpoint.title or Path(checkpoint.file).stem)
    yield "its architecture", checkpoint.architecture or UNKNOWN


def _named(name: str) -> str:
    low = name.lower()
    return next((family for pattern, family in _NAMES if re.search(pattern, low)), UNKNOWN)


def _modelspec(metadata: Mapping[str, str]) -> str:
    """Ask the title first: fine-tunes of SDXL all state SDXL as their architecture."""
    title = _named(metadata.get("modelspec.title", ""))
    architecture = family_of(metadata.get("modelspec.architecture", ""))
    if title != UNKNOWN and (
        architecture == UNKNOWN or ecosystem(title) == ecosystem(architecture)
    ):
        return title
    return UNKNOWN if architecture == "sdxl" else architecture


def _sidecar(file: str) -> str:
    if not file:
        return UNKNOWN
    stem = Path(file).with_suffix("")
    for suffix, fields in (
        (".civitai.info", ("baseModel",)),
        (".json", ("sd version", "baseModel")),
        (".metadata.json", ("base_model",)),
    ):
        sidecar = object_at(Path(f"{stem}{suffix}"))
        base_model = next((str(sidecar[name]) for name in fields if sidecar.get(name)), "")
        if family_of(base_model) in known_families():
            return family_of(base_model)
    return UNKNOWN


def _architecture(model: Any | None) -> str:
    """A1111 and reForge set flags; Forge's Flux sets none, so its class name decides."""
    if model is None:
        return ""
    flagged = next((family for flag, family in _FLAGS if getattr(model, flag, False) is True), "")
    return flagged or _CLASSES.get(type(model).__name__.lower(), "")


class Remembered:
    """The user's choice of family per checkpoint, in a small file of the data folder."""

    def __init__(self, data_dir: Path) -> None:
        self._file = data_dir / "checkpoints.json"

    def get(self, checkpoint: Checkpoint) -> str | None:
        family = object_at(self._file).get(_name(checkpoint))
        return family if isinstance(family, str) else None

    def put(self, checkpoint: Checkpoint, family: str | None) -> None:
        """Store the family; None deletes it. Ignored if the host names no checkpoint."""
        if not _name(checkpoint):
            return
        families = {**object_at(self._file), _name(checkpoint): family}
        kept = {name: value for name, value in families.items() if value is not None}
        self._file.parent.mkdir(parents=True, exist_ok=True)
        write_file(self._file, json.dumps(kept, indent=1, sort_keys=True))


def _name(checkpoint: Checkpoint) -> str:
    return checkpoint.sha256 or checkpoint.title or Path(checkpoint.file).name


def loaded_checkpoint() -> Checkpoint:
    """The checkpoint in memory, or the one that would be loaded."""
    from stylus_ext.host import compat  # the rest of this module needs no WebUI

    model = compat.loaded_model()
    return checkpoint_of(compat.checkpoint_info(model), model)


def loaded_family(remembered: Remembered) -> Finding:
    checkpoint = loaded_checkpoint()
    return find_family(checkpoint, remembered.get(checkpoint))

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
    *((rf"klein(?=.*{size}b)(?=.*base)", f"flux2-klein-{size}b-base") for size in (4, 9)),
    *((rf"klein(?=.*{size}b)", f"flux2-klein-{size}b") for size in (4, 9)),
    (r"flux[-_. ]?2|flux.*klein", "flux2"),
    (r"kontext", "flux1-kontext"),
    (r"wan(?=.*2[._]?2)(?=.*ti2v)", "wan-2.2-ti2v-5b"),
    *((rf"wan(?=.*2[._]?2)(?=.*{kind})", f"wan-2.2-{kind}-a14b") for kind in ("t2v", "i2v")),
    (r"wan(?=.*1[._]3b)", "wan-1.3b-t2v"),
    (r"wan(?=.*t2v)(?=.*14b)", "wan-14b-t2v"),
    *((rf"wan(?=.*i2v)(?=.*{size}p)", f"wan-14b-i2v-{size}p") for size in (480, 720)),
    (r"(?<![a-z])wan[-_ ]?(?:video|2)", "wan"),
    (r"z[-_ ]?image(?=.*turbo)", "z-image-turbo"),
    (r"z[-_ ]?image", "z-image"),
    (r"qwen[-_ ]?image(?!.*2[._]1)", "qwen"),
    (r"flux|schnell", "flux1"),
    (r"(?<![a-z])sd[-_ ]?3|sd3\.?5", "sd3"),
    (r"sdxl|(?<![a-z])xl(?![a-z])|xl(?=[-_. v\d]|$)", "sdxl"),
    (r"krea[-_ ]?2", "krea2"),
    (r"ernie[-_ ]?image", "ernie"),
    (r"(?<![a-z])anima(?![a-z])", "anima"),
    (r"(?<![a-z])chroma(?=\d|[-_ ]|$)", "chroma"),
    (r"(?<![a-z])lumina(?![a-z])", "lumina"),
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
    "Chroma": "chroma",
    "Flux": "flux1",
    "Flux2": "flux2",
    "Flux2K4B": "flux2-klein-4b",
    "Flux2K9B": "flux2-klein-9b",
    "Anima": "anima",
    "ErnieImage": "ernie",
    "Krea2": "krea2",
    "Lumina2": "lumina",
    "Mugen": "mugen",
    "PiD": "pid",
    "QwenImage": "qwen",
    "QwenImage21": "qwen-image-2.1",
    "StableDiffusion": "sd1",
    "StableDiffusion2": "sd2",
    "StableDiffusion3": "sd3",
    "StableDiffusionXL": "sdxl",
    "StableDiffusionXLRefiner": "sdxl",
    "Wan": "wan",
    "ZImage": "z-image",
}
"""Families by the class of Forge's and Forge Neo's engines, and of their configurations."""

_ENGINES = "backend.diffusion_engine"
_ONE_ENGINE = frozenset({"flux1", "wan"})  # families that start so are not all compatible


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
    """The first source with a listed answer that this architecture allows, else any answer."""
    found = [
        Finding(family, because)
        for because, family in _statements(checkpoint, remembered)
        if family != UNKNOWN
        and (because == "you said so" or _is_built_as(family, checkpoint.architecture))
    ]
    listed = (finding for finding in found if finding.family in known_families())
    unknown = Finding(UNKNOWN, "nothing says what it is")
    return next(listed, next(iter(found), unknown))


def _is_built_as(family: str, architecture: str) -> bool:
    """True if a model of this family may be loaded as this architecture; empty is not known."""
    return (
        not architecture
        or ecosystem(family) == ecosystem(architecture)
        or (architecture in _ONE_ENGINE and family.startswith(f"{architecture}-"))
    )


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
    stem, unlisted = Path(file).with_suffix(""), UNKNOWN
    for suffix, fields in (
        (".civitai.info", ("baseModel",)),
        (".json", ("sd version", "baseModel")),
        (".metadata.json", ("base_model",)),
    ):
        sidecar = object_at(Path(f"{stem}{suffix}"))
        base_model = next((str(sidecar[name]) for name in fields if sidecar.get(name)), "")
        family = family_of(base_model)
        if family in known_families():
            return family
        unlisted = family if unlisted == UNKNOWN else unlisted
    return unlisted


def _architecture(model: Any | None) -> str:
    """The class of Forge's and Forge Neo's engines; A1111 and reForge set flags.

    Forge Neo's flags are shared: Mugen has SDXL's, Anima, Qwen and Krea 2 have Wan's.
    """
    if model is None:
        return ""
    kind = type(model)
    # Flux.2's engine is the same for both sizes of Klein.
    names = (type(getattr(model, "model_config", None)).__name__, kind.__name__)
    classed = next((_CLASSES[name] for name in names if name in _CLASSES), "")
    if not classed and kind.__module__.startswith(_ENGINES):
        classed = family_of(kind.__name__)
    return classed or next(
        (family for flag, family in _FLAGS if getattr(model, flag, False) is True), ""
    )


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

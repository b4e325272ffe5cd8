"""Sidecars and previews beside a downloaded file, in the host's format; never overwritten."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

from stylus_ext.core.card import AdapterCard
from stylus_ext.core.errors import Cancelled, StoreProblem, StylusError
from stylus_ext.core.fetching import version_of
from stylus_ext.core.files import open_regular, replace_file
from stylus_ext.downloads.part import PREFIX
from stylus_ext.net.thumbnails import RemotePictures
from stylus_ext.net.values import NotJson, digest, identity, parsed, table

logger = logging.getLogger(__name__)


_LARGEST = 8 * 1024 * 1024
_VERSIONS = {
    "sd1": "SD1",
    "sd2": "SD2",
    "sdxl": "SDXL",
    "pony": "SDXL",
    "illustrious": "SDXL",
    "noobai": "SDXL",
    "flux1": "Flux",
}
"""The families' names in the hosts' editors; only Forge knows Flux."""


def write_sidecars(
    file: Path, card: AdapterCard, family: str, sha256: str, about: Mapping[str, object]
) -> None:
    """Write the host's metadata file and the source's own statement, `about`."""
    try:
        _add_missing(file.with_suffix(".json"), _host_fields(card, family, sha256))
        if about:
            _create(
                file.with_suffix(".civitai.info"), json.dumps(about, indent=4, ensure_ascii=False)
            )
    except OSError as error:
        raise StoreProblem(
            f"The metadata of {file.name} could not be written: {error.strerror or error}."
        ) from error


def belongs_to_another(file: Path, card: AdapterCard, sha256: str) -> bool:
    """Whether a leftover sidecar with this stem belongs to another file."""
    version = version_of(card)
    for suffix, id_name in ((".json", "modelVersionId"), (".civitai.info", "id")):
        fields = _read(file.with_suffix(suffix))
        listed_id, listed_sha256 = identity(fields.get(id_name)), digest(fields.get("sha256"))
        if (listed_id is not None and version is not None and listed_id != version) or (
            listed_sha256 and listed_sha256 != sha256
        ):
            return True
    return False


def _host_fields(card: AdapterCard, family: str, sha256: str) -> dict[str, object]:
    """Return the fields of the host's editor and those that other downloaders add."""
    fields: dict[str, object] = {
        "description": card.text,
        "sd version": _VERSIONS.get(family, "Unknown"),
        "activation text": ",\n".join(group.rstrip(", ") for group in card.triggers),
        "preferred weight": card.weight or 0,
        "negative text": card.negative_text,
        "notes": "",
        "sha256": sha256.upper(),
    }
    version = version_of(card)
    if version is not None:
        fields |= {"modelVersionId": version}
    if version is not None and card.model_id is not None:
        fields |= {
            "modelId": card.model_id,
            "modelPageURL": f"https://civitai.com/models/{card.model_id}?modelVersionId={version}",
        }
    return fields


def _add_missing(path: Path, fields: Mapping[str, object]) -> None:
    """Add the missing keys; leave a file that cannot be read as it is."""
    if not path.exists() and not path.is_symlink():
        _create(path, json.dumps(fields, indent=4, ensure_ascii=False))
        return
    before = _read(path)
    missing = {name: value for name, value in fields.items() if name not in before}
    if before and missing:
        part = path.with_name(f"{PREFIX}{secrets.token_hex(6)}.json.part")
        _create(part, json.dumps({**before, **missing}, indent=4, ensure_ascii=False))
        replace_file(part, path)


def _create(path: Path, text: str) -> None:
    """Write a new file in one step; do nothing if it exists."""
    part = path.with_name(f"{PREFIX}{secrets.token_hex(6)}.part")
    try:
        part.write_text(text, "utf-8", "replace")
        with contextlib.suppress(FileExistsError):
            try:
                os.link(part, path)
            except FileExistsError:
                raise
            except OSError:  # a drive without links
                with path.open("x", encoding="utf-8", errors="replace") as file:
                    file.write(text)
    finally:
        part.unlink(missing_ok=True)


def _read(path: Path) -> Mapping[str, object]:
    try:
        with open_regular(path) as file:
            data = file.read(_LARGEST + 1)
        return table(parsed(data)) if len(data) <= _LARGEST else {}
    except (OSError, NotJson):
        return {}


EDGE = 768
"""Pixels of the longer edge: as large as the host shows cards on any screen."""
_SHOWN = ("png", "jpg", "jpeg", "webp", "gif")


def write_preview(
    pictures: RemotePictures, url: str, file: Path, check: Callable[[], None]
) -> bool:
    """Write a preview picture; return whether a new one was written."""
    if not url or any(
        file.with_suffix(f"{infix}.{kind}").exists()
        for infix in ("", ".preview")
        for kind in _SHOWN
    ):
        return False
    try:
        data = pictures.small(url, check)
    except Cancelled:
        raise
    except StylusError as error:
        logger.info("no preview for %s: %s", file.name, error)
        return False
    with contextlib.suppress(OSError), file.with_suffix(".preview.jpeg").open("xb") as picture:
        picture.write(data)
        return True
    return False

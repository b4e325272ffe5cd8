"""What Civitai offers for download of one version, asked just before: the newest size, hash, scans,
and who may have it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from stylus_ext.backends.civitai.availability import early_until
from stylus_ext.backends.civitai.client import Civitai
from stylus_ext.backends.civitai.files import SAFETENSORS, OfferedFile, chosen, in_bytes
from stylus_ext.backends.civitai.refusals import Missing
from stylus_ext.backends.statements.values import digest, name, rows, table
from stylus_ext.core.sources import Check


@dataclass(frozen=True, slots=True)
class Offer:
    """`sha256` is empty where Civitai has none; `scanned` is true where both scanners said Success,
    false where one did not,

    None where they said nothing. `url` leads to the file, with the key if `needs_key`.
    """

    version_id: int
    file: str
    size: int
    sha256: str
    scanned: bool | None
    needs_key: bool
    early_until: datetime | None
    url: str
    stated: Mapping[str, object] = field(default_factory=dict)
    """The version as Civitai's API has it, where it was asked for."""


def offer_of(
    civitai: Civitai, version_id: int, now: datetime, check: Check, *, scans: bool = True
) -> Offer:
    """`mini` says most of it; the scans are asked for apart, unless the caller knows them."""
    mini = _mini(civitai, version_id, check)
    whole: Mapping[str, object] = civitai.version(version_id, check) if scans or not mini else {}
    # mini speaks of the primary file, which may be a pickle that has its safetensors beside it
    other = (
        name(mini.get("format")).casefold() not in ("", *SAFETENSORS) and chosen(whole) is not None
    )
    said: Mapping[str, object] = {} if other else mini
    file = chosen(whole, digest(table(said.get("hashes")).get("SHA256")))
    return Offer(
        version_id=version_id,
        file=name(said.get("fileName")) or (file.name if file else ""),
        size=in_bytes(said.get("size")) or (file.size if file else 0),
        sha256=digest(table(said.get("hashes")).get("SHA256")) or (file.sha256 if file else ""),
        scanned=_scanned(file, whole),
        needs_key=mini.get("requireAuth") is True,
        early_until=early_until(mini, now) or early_until(whole, now),
        url=civitai.download_url(version_id, safetensors=other),
        stated=whole,
    )


def _mini(civitai: Civitai, version_id: int, check: Check) -> Mapping[str, object]:
    """Empty at a mirror that does not have this path; what the version itself is not there for is
    told by asking for that.
    """
    try:
        return civitai.mini(version_id, check)
    except Missing:
        return {}


def _scanned(file: OfferedFile | None, whole: Mapping[str, object]) -> bool | None:
    if file is None or not rows(whole.get("files")) or not file.scans:
        return None
    return all(said.casefold() == "success" for said in file.scans)

"""The files of a version: the one that counts is chosen, with its size, hash and what the scanners
said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stylus_ext.backends.statements.values import auto_v3, digest, name, number, rows, table

_KIB = 1024
_LARGEST = 2**50
_MODELS = ("", "model", "pruned model")
SAFETENSORS = ("safetensor", "safetensors")
NOTHING_HASHED = "e3b0c44298fc"
"""The beginning of the SHA256 of nothing, which some uploads got as AutoV3."""


@dataclass(frozen=True, slots=True)
class OfferedFile:
    """`scans` are what the service's scanners said, such as ("Success", "Success"); empty where
    they said nothing.
    """

    name: str
    size: int
    sha256: str
    auto_v3: str
    scans: tuple[str, ...]

    @property
    def dangerous(self) -> bool:
        return any(said.casefold() == "danger" for said in self.scans)


def chosen(version: Mapping[str, object], sha256: str = "", short: str = "") -> OfferedFile | None:
    """The safetensors file with this hash, of itself or of its tensors; else the primary one; else
    the first. None where there is none.
    """
    usable = [file for file in map(table, rows(version.get("files"))) if _usable(file)]
    ranked = sorted(
        usable,
        key=lambda file: (
            not sha256 or _sha256(file) != sha256,
            not short or _short(file) != short,
            file.get("primary") is not True,
        ),
    )
    return _offered(ranked[0]) if ranked else None


def _usable(file: Mapping[str, object]) -> bool:
    """By what it is called and what it is said to be; where one is missing, by the other."""
    kind, form = (
        name(file.get("type")).casefold(),
        name(table(file.get("metadata")).get("format")).casefold(),
    )
    called = name(file.get("name")).casefold()
    if kind not in _MODELS or form not in ("", *SAFETENSORS):
        return False
    return called.endswith(".safetensors") if called else bool(form)


def _offered(file: Mapping[str, object]) -> OfferedFile:
    return OfferedFile(
        name=name(file.get("name")),
        size=in_bytes(file.get("sizeKB")),
        sha256=_sha256(file),
        auto_v3=_short(file),
        scans=tuple(
            filter(None, (name(file.get("pickleScanResult")), name(file.get("virusScanResult"))))
        ),
    )


def in_bytes(size: object) -> int:
    """Of a size in KiB; 0 for what is none."""
    stated = number(size)
    return round(stated * _KIB) if stated is not None and 0 < stated < _LARGEST else 0


def has_tensors(version: Mapping[str, object], short: str) -> bool:
    """Whether any of its files has these tensors."""
    return bool(short) and any(
        _usable(file) and _short(file) == short for file in map(table, rows(version.get("files")))
    )


def _short(file: Mapping[str, object]) -> str:
    short = auto_v3(table(file.get("hashes")).get("AutoV3"))
    return "" if short == NOTHING_HASHED else short


def _sha256(file: Mapping[str, object]) -> str:
    return digest(table(file.get("hashes")).get("SHA256"))

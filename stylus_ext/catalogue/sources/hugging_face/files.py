"""Files of a repository: their addresses, and which of them are LoRAs that the WebUI can load."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import quote, unquote, urlsplit

from stylus_ext.catalogue.sources.common import Json
from stylus_ext.core.card import series
from stylus_ext.net.values import digest, number, table, text

HOME = "https://huggingface.co"
MAIN = "main"

_REPOSITORY = re.compile(r"(?:[\w.-]{1,96}/)?[\w.-]{1,96}")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_MAX_PATH = 500


def is_repository(name: str) -> bool:
    return _REPOSITORY.fullmatch(name) is not None and name.isascii() and ".." not in name


def is_commit(revision: str) -> bool:
    return _COMMIT.fullmatch(revision) is not None


def is_path(path: str) -> bool:
    """Whether it is a plain path inside a repository, safe in an address."""
    return (
        bool(path)
        and len(path) <= _MAX_PATH
        and path.isprintable()
        and not path.startswith("/")
        and ".." not in PurePosixPath(path).parts
        and "\\" not in path
    )


@dataclass(frozen=True, slots=True)
class HubLocation:
    """A file in a repository; `revision` is a commit or `main`."""

    repository: str
    revision: str
    path: str

    def url(self, origin: str = HOME) -> str:
        """Cards keep the hub's own address; requests go to the origin in the settings."""
        return f"{origin}/{self.repository}/resolve/{self.revision}/{quote(self.path)}"

    @classmethod
    def of(cls, url: str) -> HubLocation | None:
        """The location of an address of the hub, or None."""
        if not url.startswith(f"{HOME}/"):
            return None
        repository, _, after = urlsplit(url).path[1:].partition("/resolve/")
        revision, _, path = after.partition("/")
        path = unquote(path)
        if not is_repository(repository) or not is_path(path):
            return None
        return cls(repository, revision, path) if revision == MAIN or is_commit(revision) else None


NO_FILE = "no safetensors file"
NO_LORA = "no LoRA among its files"
NO_EMBEDDING = "no embedding among its files"
SUFFIX = ".safetensors"
MAX_LORAS = 24
"""Of one repository; some hold whole collections."""

_MAX_SIZE = 1600 * 1024 * 1024
"""Larger files are checkpoints."""
_MAX_EMBEDDING = 16 * 1024 * 1024
_PIPELINE_FOLDERS = frozenset(
    "unet vae transformer text_encoder text_encoder_2 text_encoder_3 safety_checker image_encoder"
    " controlnet prior scheduler tokenizer".split()
)
_NOT_A_LORA = re.compile(
    r"""(?xi)
    # parts of pipelines, and files that only other libraries read
    model | adapter_model | diffusion_pytorch_model.* | .*-\d{5}-of-\d{5}
    | (?: .*[-_. ])?
      (?: emb | embs | embedding | embeddings | ti | textual[-_. ]?inversion | optimizer
        | controlnet | vae )
      (?: [-_. ].* )?
    """
)
_TRAINING_FOLDER = re.compile(r"(?i)checkpoint[-_]?\d+")


@dataclass(frozen=True, slots=True)
class HubFile:
    path: str
    size: int
    sha256: str

    @property
    def stem(self) -> str:
        return PurePosixPath(self.path).name[: -len(SUFFIX)]

    @property
    def folders(self) -> tuple[str, ...]:
        return PurePosixPath(self.path).parts[:-1]


def hub_file(row: Json) -> HubFile | None:
    """A safetensors file in the large file storage; None for anything else."""
    path, large = text(row.get("path"), 2000), table(row.get("lfs"))
    sha256 = digest(large.get("oid")) or digest(large.get("sha256"))
    size = number(large.get("size"))
    if path != row.get("path") or not path.casefold().endswith(SUFFIX) or not is_path(path):
        return None
    return HubFile(path, int(size), sha256) if sha256 and size is not None and size >= 1 else None


def find_loras(listed: Iterable[Json]) -> list[HubFile] | str:
    """The LoRAs, or the reason for none; of several epochs the finished or the last one."""
    files = [file for file in map(hub_file, listed) if file is not None]
    if not files:
        return NO_FILE
    loras = [file for file in files if _is_lora(file)]
    finished = [file for file in loras if not any(map(_TRAINING_FOLDER.fullmatch, file.folders))]
    best: dict[str, HubFile] = {}
    for file in sorted(finished or loras, key=_preference):
        folder = "/".join(file.folders)
        best.setdefault(f"{folder}/{series(file.stem) or file.stem.casefold()}", file)
    distinct = {file.sha256: file for file in reversed(best.values())}
    return sorted(distinct.values(), key=lambda file: file.path)[:MAX_LORAS] or NO_LORA


def find_embeddings(listed: Iterable[Json]) -> list[HubFile] | str:
    """The embeddings of a repository of textual inversions, or the reason for none."""
    files = [file for file in map(hub_file, listed) if file is not None]
    if not files:
        return NO_FILE
    found = {
        file.sha256: file
        for file in files
        if file.size <= _MAX_EMBEDDING and not _is_in_pipeline(file)
    }
    return sorted(found.values(), key=lambda file: file.path)[:MAX_LORAS] or NO_EMBEDDING


def _is_in_pipeline(file: HubFile) -> bool:
    return not _PIPELINE_FOLDERS.isdisjoint(part.casefold() for part in file.folders)


def _is_lora(file: HubFile) -> bool:
    return (
        not _is_in_pipeline(file)
        and _NOT_A_LORA.fullmatch(file.stem) is None
        and file.size <= _MAX_SIZE
    )


def _preference(file: HubFile) -> tuple[int, int, tuple[int, ...]]:
    """Upper folders first, then short names, then later epochs."""
    return file.path.count("/"), len(file.stem), tuple(-ord(letter) for letter in file.stem)

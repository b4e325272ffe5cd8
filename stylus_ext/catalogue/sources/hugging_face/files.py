"""The files of a repository: those that are LoRAs as the WebUI reads them come out, or the reason
why there is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import quote, unquote, urlsplit

from stylus_ext.core.card import series
from stylus_ext.net.values import digest, number, table, text

HOME = "https://huggingface.co"
MAIN = "main"
_REPOSITORY = re.compile(r"(?:[\w.-]{1,96}/)?[\w.-]{1,96}")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_LONGEST_PATH = 500


def is_repository(name: str) -> bool:
    return _REPOSITORY.fullmatch(name) is not None and name.isascii() and ".." not in name


def is_commit(revision: str) -> bool:
    return _COMMIT.fullmatch(revision) is not None


def is_path(path: str) -> bool:
    """Below the repository, and nothing that an address would read as something else."""
    parts = PurePosixPath(path).parts
    return (
        bool(path)
        and len(path) <= _LONGEST_PATH
        and path.isprintable()
        and not path.startswith("/")
        and ".." not in parts
        and "\\" not in path
    )


@dataclass(frozen=True, slots=True)
class HubLocation:
    """`revision` is a commit, or `main`."""

    repository: str
    revision: str
    path: str

    def url(self, origin: str = HOME) -> str:
        """What is kept on a card is the hub's own address; what is asked is that of the origin that
        the settings name.
        """
        return f"{origin}/{self.repository}/resolve/{self.revision}/{quote(self.path)}"

    @classmethod
    def of(cls, url: str) -> HubLocation | None:
        """None for an address that is not the hub's."""
        if not url.startswith(f"{HOME}/"):
            return None
        before, _, after = urlsplit(url).path[1:].partition("/resolve/")
        revision, _, path = after.partition("/")
        path = unquote(path)
        fits = is_repository(before) and (revision == MAIN or is_commit(revision)) and is_path(path)
        return cls(before, revision, path) if fits else None


NO_FILE = "no safetensors file"
NO_LORA = "no LoRA among its files"
SUFFIX = ".safetensors"
MOST = 24
"""Of one repository; there are some that hold a whole collection."""
_LARGEST = 1600 * 1024 * 1024
"""What is larger is a checkpoint, whatever it is called."""
_PARTS = frozenset(
    "unet vae transformer text_encoder text_encoder_2 text_encoder_3 safety_checker image_encoder"
    " controlnet prior scheduler tokenizer".split()
)
_NO_LORA = re.compile(r"""(?xi)
    model | adapter_model | diffusion_pytorch_model.* | .*-\d{5}-of-\d{5}        # parts of pipelines, and what other libraries read
    | (?: .*[-_. ])? (?: emb | embs | embedding | embeddings | ti | textual[-_. ]?inversion | optimizer | controlnet | vae ) (?: [-_. ].* )?
    """)  # noqa: E501
_TRAINING = re.compile(r"(?i)checkpoint[-_]?\d+")


@dataclass(frozen=True, slots=True)
class HubFile:
    path: str
    size: int
    sha256: str

    @property
    def stem(self) -> str:
        return PurePosixPath(self.path).name[: -len(SUFFIX)]


def hub_file(row: Mapping[str, object]) -> HubFile | None:
    """A large file with its hash; None for anything else."""
    path, large = text(row.get("path"), 2000), table(row.get("lfs"))
    sha256, size = (
        digest(large.get("oid")) or digest(large.get("sha256")),
        number(large.get("size")),
    )
    if (
        not path.casefold().endswith(SUFFIX)
        or path != row.get("path")
        or not is_path(path)
        or not sha256
        or size is None
        or size < 1
    ):
        return None
    return HubFile(path, int(size), sha256)


def loras(listed: Iterable[Mapping[str, object]]) -> list[HubFile] | str:
    """Of the epochs of one training the finished one, or the last."""
    files = [file for file in map(hub_file, listed) if file is not None]
    if not files:
        return NO_FILE
    fitting = [file for file in files if _is_lora(file)]
    finished = [
        file
        for file in fitting
        if not any(_TRAINING.fullmatch(part) for part in PurePosixPath(file.path).parts[:-1])
    ]
    best: dict[str, HubFile] = {}
    for file in sorted(
        finished or fitting,
        key=lambda one: (one.path.count("/"), len(one.stem), _backwards(one.stem)),
    ):
        folder = str(PurePosixPath(file.path).parent)
        best.setdefault(f"{folder}/{series(file.stem) or file.stem.casefold()}", file)
    one_each = {file.sha256: file for file in reversed(best.values())}
    return sorted(one_each.values(), key=lambda file: file.path)[:MOST] or NO_LORA


def _is_lora(file: HubFile) -> bool:
    folders = {part.casefold() for part in PurePosixPath(file.path).parts[:-1]}
    return not folders & _PARTS and _NO_LORA.fullmatch(file.stem) is None and file.size <= _LARGEST


def _backwards(stem: str) -> tuple[int, ...]:
    """Later epochs first."""
    return tuple(-ord(sign) for sign in stem)

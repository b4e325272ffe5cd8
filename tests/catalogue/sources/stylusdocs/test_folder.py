"""The published folder: records, descriptions and memory-mapped vectors."""

from __future__ import annotations

import importlib
import io
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from stylus_ext.catalogue.sources.stylusdocs import stylusdocs_in
from stylus_ext.core.errors import InvalidInput
from tests.published import adapter, matrix, publish


@pytest.mark.parametrize("inside", ["", "cache", "stylus"])
def test_it_is_found_where_it_was_unpacked(tmp_path: Path, inside: str) -> None:
    publish(tmp_path / "stylus", [adapter(1)])
    start = {"": tmp_path, "cache": tmp_path / "stylus" / "cache", "stylus": tmp_path / "stylus"}[
        inside
    ]
    assert [record.place for record in stylusdocs_in(start).records()] == [0]


def test_a_folder_without_it(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"sd_adapters\.pkl"):
        stylusdocs_in(tmp_path)


def test_records_with_texts_and_reasons(tmp_path: Path) -> None:
    adapters = [
        adapter(1),
        adapter(2, llm_description="Within.", weight=0.4),
        adapter(3),
        adapter(1),
        adapter(4, download_url="x"),
    ]
    publish(tmp_path, adapters, texts={1: "- Filed.\n- 0.7", 2: "Failed"})
    found = list(stylusdocs_in(tmp_path).records())
    assert [
        (record.text.text, record.text.weight) if record.text else None for record in found
    ] == [("Filed.", 0.7), ("Within.", 0.4), None, None, None]
    assert [record.reason for record in found] == [
        "",
        "",
        "",
        "listed twice",
        "no Civitai version in its address",
    ]
    assert [record.place for record in found] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_vectors_are_mapped(tmp_path: Path, dtype: str) -> None:
    publish(tmp_path, [adapter(1), adapter(2)], dtype=dtype)
    vectors = stylusdocs_in(tmp_path).vectors()
    assert vectors is not None
    assert (vectors.model, vectors.rows, vectors.dimensions) == ("text-embedding-3-large", 2, 3072)
    assert isinstance(vectors.values, np.memmap)
    assert np.allclose(vectors.values, matrix(2), atol=1e-3)


def test_vectors_of_another_length_are_of_another_model(tmp_path: Path) -> None:
    publish(tmp_path, [adapter(1)], width=8)
    vectors = stylusdocs_in(tmp_path).vectors()
    assert vectors is not None
    assert vectors.model == "a model of 8 dimensions"


def test_without_vectors(tmp_path: Path) -> None:
    publish(tmp_path, [adapter(1)], vectors=False)
    assert stylusdocs_in(tmp_path).vectors() is None


def test_a_matrix_of_objects_is_a_pickle_and_not_loaded(tmp_path: Path) -> None:
    publish(tmp_path, [adapter(1)])
    fired = tmp_path / "fired"
    out = io.BytesIO()
    np.save(out, np.array([Touch(fired)], dtype=object), allow_pickle=True)
    (tmp_path / "cache" / "sd_embeddings.npy").write_bytes(out.getvalue())
    with pytest.raises(InvalidInput):
        stylusdocs_in(tmp_path).vectors()
    (tmp_path / "cache" / "sd_embeddings.npy").write_bytes(
        importlib.import_module("pickle").dumps(Touch(fired))
    )
    with pytest.raises(InvalidInput):
        stylusdocs_in(tmp_path).vectors()
    assert not fired.exists()


class Touch:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("broken", [b"", b"\x93NUMPY", b"junk", None, "text", "flat"])
def test_broken_matrices_are_named(tmp_path: Path, broken: bytes | str | None) -> None:
    path = publish(tmp_path, [adapter(1)]) / "cache" / "sd_embeddings.npy"
    if isinstance(broken, bytes):
        path.write_bytes(broken)
    elif broken is None:
        path.write_bytes(path.read_bytes()[:-100])
    else:
        np.save(path, np.array(["a"]) if broken == "text" else np.zeros(4))
    with pytest.raises(InvalidInput):
        stylusdocs_in(tmp_path).vectors()


def test_an_archive_in_place_of_the_matrix_is_refused(tmp_path: Path) -> None:
    publish(tmp_path, [adapter(1)])
    archive = io.BytesIO()
    np.savez(archive, x=np.zeros((1, 3072), dtype=np.float32))
    (tmp_path / "cache" / "sd_embeddings.npy").write_bytes(archive.getvalue())
    with pytest.raises(InvalidInput):
        stylusdocs_in(tmp_path).vectors()


@pytest.mark.skipif(sys.platform == "win32", reason="pipes in folders exist on POSIX alone")
def test_links_and_pipes_among_the_texts_are_passed_over(tmp_path: Path) -> None:
    publish(tmp_path, [adapter(1), adapter(2), adapter(3)], texts={3: "- Filed."})
    secret = tmp_path / "elsewhere.txt"
    secret.write_text("- A secret.", "utf-8")
    (tmp_path / "cache" / "ultra_model" / "1.txt").symlink_to(secret)
    os.mkfifo(tmp_path / "cache" / "ultra_model" / "2.txt")
    texts = [record.text for record in stylusdocs_in(tmp_path).records()]
    assert [text.text if text else None for text in texts] == [None, None, "Filed."]


def test_another_file_has_another_fingerprint(tmp_path: Path) -> None:
    publish(tmp_path, [adapter(1)])
    before = stylusdocs_in(tmp_path).fingerprint
    assert stylusdocs_in(tmp_path).fingerprint == before
    publish(tmp_path, [adapter(1), adapter(2)])
    assert stylusdocs_in(tmp_path).fingerprint != before

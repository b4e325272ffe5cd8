"""StylusDocs into a real catalogue: cards, descriptions and vectors; stopped, killed, and against
the user's own word.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stylus_ext.catalogue.importing import PublishedRefiner
from stylus_ext.catalogue.refine.rules import CardRefiner
from stylus_ext.catalogue.vectors import ImportedIndex
from stylus_ext.core.card import AdapterKey
from stylus_ext.core.entry import Edits
from stylus_ext.core.errors import Cancelled, InvalidInput
from stylus_ext.core.importing import Imported
from stylus_ext.core.ports import Filter, Sighting
from stylus_ext.core.settings import Settings, with_values
from stylus_ext.engine.operations.sources import import_stylusdocs
from stylus_ext.engine.requests import ImportInput
from stylus_ext.engine.stylus import Stylus, open_stylus
from tests.embedding_server import EmbeddingServer
from tests.engine_process import Cli, end, make_folder, start
from tests.fakes import Watch, make_card
from tests.published import adapter, matrix, publish

LARGE = "text-embedding-3-large"


def key(number: int) -> AdapterKey:
    return AdapterKey.civitai(1_000_000 + number)


@contextmanager
def opened(folder: Path, server: EmbeddingServer, model: str = "bag") -> Iterator[Stylus]:
    settings = with_values(Settings(), {"encoder": {"endpoint": server.url, "model": model}})
    stylus = open_stylus(folder / "data", settings)
    try:
        yield stylus
    finally:
        stylus.close()


@pytest.fixture
def wide(vectors: EmbeddingServer, monkeypatch: pytest.MonkeyPatch) -> EmbeddingServer:
    """Answers with vectors as long as the published ones."""
    monkeypatch.setattr(vectors.bag, "dimensions", 3072)
    return vectors


def taken(
    stylus: Stylus, folder: Path, watch: Watch | None = None, **how: bool
) -> tuple[Imported, int, list[str]]:
    done, published, notes = import_stylusdocs(
        stylus.catalogue,
        stylus.settings.encoder,
        ImportInput(format="stylusdocs", folder=str(folder), **how),
        watch or Watch(),
    )
    return done, published, [note.code for note in notes]


def test_cards_come_with_their_published_descriptions(
    tmp_path: Path, vectors: EmbeddingServer
) -> None:
    publish(
        tmp_path / "docs",
        [adapter(1), adapter(2), adapter(3, download_url="")],
        texts={1: "- Ink washes on rice paper.\n- 0.65"},
    )
    with opened(tmp_path, vectors) as stylus:
        done, published, notes = taken(stylus, tmp_path / "docs")
        entries = stylus.catalogue.store.read([key(1), key(2)])
        assert (done.read, done.kept, done.described, done.changed) == (3, 2, 1, 2)
        assert done.skipped == {"no Civitai version in its address": 1}
        assert (published, notes) == (0, ["vectors_left"])
        assert [
            (entry.text, entry.description.source, entry.weight) for entry in entries.values()
        ] == [
            ("Ink washes on rice paper.", "stylusdocs", 0.65),
            (entries[key(2)].description.text, "card", None),
        ]
        assert (entries[key(1)].card.source, entries[key(1)].family, entries[key(1)].kind) == (
            "stylusdocs",
            "sd1",
            "style",
        )


def test_again_changes_nothing(tmp_path: Path, vectors: EmbeddingServer) -> None:
    publish(tmp_path / "docs", [adapter(1), adapter(2)], texts={1: "- Ink.\n- 0.6"})
    with opened(tmp_path, vectors) as stylus:
        first = taken(stylus, tmp_path / "docs")[0]
        revision = stylus.catalogue.store.revision
        again = taken(stylus, tmp_path / "docs")[0]
        assert (again, stylus.catalogue.store.revision) == (replace(first, resumed=False), revision)


def test_the_users_word_stays(tmp_path: Path, vectors: EmbeddingServer) -> None:
    with opened(tmp_path, vectors) as stylus:
        stylus.catalogue.refresh.take([Sighting(card=make_card(1_000_001, "Mine"))])
        stylus.catalogue.store.edit(key(1), Edits(state="always", text="What I say.", weight=0.3))
        publish(tmp_path / "docs", [adapter(1)], texts={1: "- What they say.\n- 0.9"})
        taken(stylus, tmp_path / "docs")
        entry = stylus.catalogue.store.read([key(1)])[key(1)]
        assert (entry.text, entry.weight, entry.edits.state) == ("What I say.", 0.3, "always")
        assert entry.description.text == "What they say."


def test_a_published_description_outlives_what_else_is_told_of_the_card(
    tmp_path: Path, vectors: EmbeddingServer
) -> None:
    publish(tmp_path / "docs", [adapter(1)], texts={1: "- What they say.\n- 0.9"})
    with opened(tmp_path, vectors) as stylus:
        taken(stylus, tmp_path / "docs")
        stylus.catalogue.refresh.take(
            [
                Sighting(
                    card=make_card(
                        1_000_001,
                        "Renamed",
                        source="civitai",
                        text="<p>Long words of the author about trees.</p>",
                    )
                )
            ]
        )
        entry = stylus.catalogue.store.read([key(1)])[key(1)]
        assert (entry.card.name, entry.text) == ("Renamed", "What they say.")


def test_entries_that_become_one_keep_the_better_description(
    tmp_path: Path, vectors: EmbeddingServer
) -> None:
    publish(tmp_path / "docs", [adapter(1)], texts={1: "- What they say.\n- 0.9"})
    sha = AdapterKey.sha256("a" * 64)
    with opened(tmp_path, vectors) as stylus:
        stylus.catalogue.refresh.take(
            [
                Sighting(
                    card=make_card(key=sha, name="By hash", source="local", text="Trees in fog.")
                )
            ]
        )
        taken(stylus, tmp_path / "docs")
        stylus.catalogue.refresh.take(
            [
                Sighting(
                    card=make_card(
                        key=sha,
                        name="By hash",
                        source="local",
                        text="Trees in fog.",
                        equivalents=(key(1),),
                    )
                )
            ]
        )
        found = stylus.catalogue.store.read([sha, key(1)])
        assert {entry.text for entry in found.values()} == {"What they say."}
        assert len({entry.key for entry in found.values()}) == 1


def test_a_stop_loses_nothing_finished(tmp_path: Path, vectors: EmbeddingServer) -> None:
    publish(tmp_path / "docs", [adapter(number) for number in range(1, 701)], vectors=False)
    with opened(tmp_path, vectors) as stylus:
        with pytest.raises(Cancelled):
            taken(stylus, tmp_path / "docs", Watch(patience=1))
        part = stylus.catalogue.store.search("Adapter", Filter(), limit=1).total
        assert 256 <= part < 700
        done, _, _ = taken(stylus, tmp_path / "docs")
        assert (done.resumed, done.read, done.kept, done.changed) == (True, 700, 700, 700)


def test_progress_says_how_much_is_left(tmp_path: Path, vectors: EmbeddingServer) -> None:
    publish(tmp_path / "docs", [adapter(number) for number in range(300)], width=4)
    watch = Watch()
    with opened(tmp_path, vectors) as stylus:
        taken(stylus, tmp_path / "docs", watch)
    assert ("importing StylusDocs", 256, 300) in watch.seen
    assert ("importing StylusDocs", 300, 300) in watch.seen


def test_a_hostile_file_ends_with_a_sentence(tmp_path: Path, vectors: EmbeddingServer) -> None:
    publish(tmp_path / "docs", [adapter(1)], vectors=False)
    path = tmp_path / "docs" / "cache" / "sd_adapters.pkl"
    path.write_bytes(b"\x80\x04cos\nsystem\n(\x8c\x04trueR.")
    with (
        opened(tmp_path, vectors) as stylus,
        pytest.raises(InvalidInput, match=r"os\.system"),
    ):
        taken(stylus, tmp_path / "docs")


@pytest.mark.parametrize("text", ["", "junk", "[]", '{"read": "x"}', '{"other": 1}'])
def test_a_place_that_nobody_can_read_is_the_beginning(
    tmp_path: Path, vectors: EmbeddingServer, text: str
) -> None:
    publish(tmp_path / "docs", [adapter(1)], vectors=False)
    with opened(tmp_path, vectors) as stylus:
        done, _, _ = taken(stylus, tmp_path / "docs")
        name = next(iter(_memory_names(stylus)))
        stylus.catalogue.ingest.memory.remember(name, text)
        again, _, _ = taken(stylus, tmp_path / "docs")
        assert (again.read, again.kept, again.resumed) == (done.read, done.kept, False)


def _memory_names(stylus: Stylus) -> list[str]:
    from stylus_ext.catalogue.sources.stylusdocs import stylusdocs_in

    folder = stylus.folder.parent / "docs"
    return [f"import.StylusDocs.{stylusdocs_in(folder).fingerprint}"]


# --- vectors


def test_published_vectors_are_used_where_the_encoder_is_theirs(
    tmp_path: Path, wide: EmbeddingServer
) -> None:
    publish(tmp_path / "docs", [adapter(1), adapter(2, download_url=""), adapter(3)])
    with opened(tmp_path, wide, LARGE) as stylus:
        wide.bag.texts.clear()
        done, published, notes = taken(stylus, tmp_path / "docs")
        assert (done.kept, published, notes) == (2, 2, [])
        stylus.catalogue.update_vectors(Watch())
        assert wide.bag.texts == [], "nothing is embedded again"
        assert stylus.catalogue.embed.is_current()
        for view in ("card", "title"):
            hits = stylus.catalogue.index.search(view, matrix(3)[2:].astype(np.float32), 1)[0]
            assert [hit.key for hit in hits] == [key(3)]
        assert taken(stylus, tmp_path / "docs")[1] == 0, "they are there already"
    with opened(tmp_path, wide, LARGE) as stylus:
        assert isinstance(stylus.catalogue.index, ImportedIndex)
        assert len(stylus.catalogue.index) == 2
        assert stylus.catalogue.embed.is_current()


def test_an_edited_text_gets_a_vector_of_its_own(tmp_path: Path, wide: EmbeddingServer) -> None:
    publish(tmp_path / "docs", [adapter(1)])
    with opened(tmp_path, wide, LARGE) as stylus:
        taken(stylus, tmp_path / "docs")
        stylus.catalogue.update_vectors(Watch())
        wide.bag.texts.clear()
        stylus.catalogue.store.edit(key(1), Edits(text="A lighthouse."))
        stylus.catalogue.update_vectors(Watch())
        assert len(wide.bag.texts) == 1
        own = wide.bag.embed([wide.bag.texts[0]])
        assert stylus.catalogue.index.cosines("card", own, [key(1)])[0, 0] == pytest.approx(
            1.0, abs=1e-4
        )


def test_into_chroma_on_request(tmp_path: Path, wide: EmbeddingServer) -> None:
    publish(tmp_path / "docs", [adapter(1), adapter(2)])
    with opened(tmp_path, wide, LARGE) as stylus:
        assert taken(stylus, tmp_path / "docs", chroma=True)[1] == 2
        assert isinstance(stylus.catalogue.index, ImportedIndex)
        assert len(stylus.catalogue.index) == 0
        assert set(stylus.catalogue.index.fingerprints("card")) == {key(1), key(2)}
        assert taken(stylus, tmp_path / "docs", chroma=True)[1] == 0


def test_vectors_that_nobody_can_match_are_left(tmp_path: Path, wide: EmbeddingServer) -> None:
    publish(tmp_path / "docs", [adapter(1), adapter(2)])
    np.save(tmp_path / "docs" / "cache" / "sd_embeddings.npy", matrix(3))
    with opened(tmp_path, wide, LARGE) as stylus:
        assert taken(stylus, tmp_path / "docs")[1:] == (0, ["vectors_left"])
        assert taken(stylus, tmp_path / "docs", vectors=False)[1:] == (0, [])


def test_a_vector_that_points_nowhere_is_made_by_the_encoder(
    tmp_path: Path, wide: EmbeddingServer
) -> None:
    publish(tmp_path / "docs", [adapter(1), adapter(2)])
    rows = matrix(2)
    rows[0], rows[1, 5] = 0, np.nan
    np.save(tmp_path / "docs" / "cache" / "sd_embeddings.npy", rows)
    with opened(tmp_path, wide, LARGE) as stylus:
        assert taken(stylus, tmp_path / "docs")[1] == 0
        stylus.catalogue.update_vectors(Watch())
        assert key(1) in stylus.catalogue.index.fingerprints("card")


# --- the refiner that quotes


def test_quoting_says_what_the_rules_say_of_all_else() -> None:
    quoting = PublishedRefiner(CardRefiner(), "stylusdocs")
    card = make_card(1, text="<p>Wet streets with red lanterns.</p>")
    assert quoting.refine(card) == CardRefiner().refine(card)
    assert quoting.name == "stylusdocs"


# --- for real


def test_the_command_survives_a_kill(tmp_path: Path, vectors: EmbeddingServer, here: Cli) -> None:
    """kill -9 in the middle: what was taken is there once, and the rest comes with the next run."""
    publish(tmp_path / "docs", [adapter(number) for number in range(1, 1001)], vectors=False)
    folder = make_folder(tmp_path / "data", vectors.url)
    process = start(folder, "import", "stylusdocs", str(tmp_path / "docs"), "--no-embed")
    until = time.monotonic() + 60
    while (
        not (folder / "catalogue.sqlite-wal").exists()
        and process.poll() is None
        and time.monotonic() < until
    ):
        time.sleep(0.005)
    time.sleep(0.3)
    end(process, signal.SIGKILL)
    ran = here(folder, "import", "stylusdocs", str(tmp_path / "docs"), "--no-embed", "--json")
    assert ran.code == 0, ran
    assert (ran.json["read"], ran.json["kept"]) == (1000, 1000)
    assert (
        here(folder, "search", "Adapter 999", "--json").json["entries"][0]["key"]
        == "civitai:1000999"
    )
    text = here(folder, "import", "stylusdocs", str(tmp_path / "docs"), "--no-embed").out
    assert "Read 1,000 records." in text
    assert "1,000 adapters, 0 with their published descriptions" in text

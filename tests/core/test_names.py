from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.file_names import NO_TAG_NAMES, FileNames, TagNames

FOX, OWL, BEE = (AdapterKey.civitai(number) for number in (1, 2, 3))
HASH = "0123456789ab"


def test_a_name_is_a_stem_else_an_alias_else_known_by_its_hash() -> None:
    names = TagNames.of([FileNames(FOX, "my_fox", "foxes", HASH), FileNames(OWL, "owl")])
    assert names.key("my_fox") == names.key("foxes") == names.key("anything", HASH) == FOX
    assert names.key("owl", HASH) == OWL
    assert names.key("bee") is names.key("") is names.key("bee", "ba9876543210") is None
    assert NO_TAG_NAMES.key("my_fox") is None


def test_names_are_compared_letter_by_letter_as_the_host_does() -> None:
    names = TagNames.of([FileNames(FOX, "my_fox", "Foxes")])
    assert names.key("MY_FOX") is names.key("foxes") is names.key(" Foxes") is None


@pytest.mark.parametrize("written", [HASH, HASH.upper(), HASH + "cdef" * 13])
def test_whoever_knows_more_of_the_hash_knows_it_too(written: str) -> None:
    assert TagNames.of([FileNames(FOX, "fox", "", HASH)]).key("x", written) == FOX


@pytest.mark.parametrize("written", ["", "0123456789"])
def test_a_shorter_hash_is_nobodys(written: str) -> None:
    assert (
        TagNames.of([FileNames(FOX, "fox", "", HASH), FileNames(OWL, "owl")]).key("x", written)
        is None
    )


class TestAmbiguous:
    def test_an_alias_of_two_files_is_none(self) -> None:
        names = TagNames.of(
            [
                FileNames(FOX, "fox", "lora"),
                FileNames(OWL, "owl", "lora"),
                FileNames(BEE, "bee", "LORA"),
            ]
        )
        assert names.key("lora") is names.key("LORA") is None
        assert (names.key("fox"), names.key("owl")) == (FOX, OWL)

    def test_nor_is_one_of_two_files_of_the_same_adapter(self) -> None:
        assert (
            TagNames.of([FileNames(FOX, "fox", "lora"), FileNames(FOX, "fox copy", "lora")]).key(
                "lora"
            )
            is None
        )

    def test_a_stem_goes_before_the_alias_of_another(self) -> None:
        for files in (
            [FileNames(FOX, "fox", "owl"), FileNames(OWL, "owl", "bird")],
            [FileNames(OWL, "owl", "bird"), FileNames(FOX, "fox", "owl")],
        ):
            names = TagNames.of(files)
            assert (names.key("owl"), names.key("bird"), names.key("fox")) == (OWL, OWL, FOX)

    def test_none_is_a_name_of_files_alone(self) -> None:
        assert TagNames.of([FileNames(FOX, "fox", "None")]).key("None") is None
        assert TagNames.of([FileNames(FOX, "None")]).key("None") == FOX

    def test_of_two_files_with_one_stem_the_first_counts(self) -> None:
        assert TagNames.of([FileNames(FOX, "fox"), FileNames(OWL, "fox")]).key("fox") == FOX


WORDS = st.sampled_from(["a", "A", "b", "B", "c", "none", "None"])
FILES = st.lists(st.tuples(WORDS, st.just("") | WORDS), max_size=5, unique_by=lambda file: file[0])


def host_finds(files: list[tuple[str, str]], name: str) -> str | None:
    """The stem of what the WebUI loads: it walks the files, and what is met twice counts as a stem
    alone (Lora/networks.py).
    """
    met: dict[str, str] = {}
    stems_only = {"none"}
    for stem, alias in files:
        if (alias or stem) in met:
            stems_only.add((alias or stem).lower())
        met |= {stem: stem, alias or stem: stem}
    return (name if name in dict(files) else None) if name.lower() in stems_only else met.get(name)


@given(FILES, WORDS)
def test_never_another_than_the_host_loads(files: list[tuple[str, str]], name: str) -> None:
    names = TagNames.of(FileNames(AdapterKey.path(stem), stem, alias) for stem, alias in files)
    found, loaded = names.key(name), host_finds(files, name)
    assert found is None or found.value == loaded
    if name in dict(files):
        assert found is not None
    said = [word for stem, alias in files for word in {stem, alias or stem}]
    if len({word.lower() for word in said}) == len(said):
        assert (found.value if found else None) == loaded

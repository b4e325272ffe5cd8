"""Words: what two texts are matched by."""

from __future__ import annotations

import random
import string
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stylus_ext.core.prompt.words import STOP, content_words, singular, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("!?,.", ""),
        ("A Cat", "a cat"),
        ("long_hair, blue eyes", "long hair blue eye"),
        (r"saber \(fate/stay night\)", "saber fate stay night"),
        ("re:zero", "re zero"),
        ("2B", "2b"),
        ("1girl", "1girl"),
        ("1.5x", "1 5x"),
        ("x-men", "x man xmen"),
        ("X-Men costume", "x man costume xmen"),
        ("spider-man", "spider man spiderman"),
        ("one-piece", "one piece onepiece"),
        ("blue-eyed", "blue eyed"),
        ("a - b", "a b"),
        ("close\u2010up", "close up closeup"),
        ("don't", "dont"),
        ("girl's hat", "girl hat"),
        ("girls' hats", "girl hat"),
        ("o\u2019brien", "obrien"),
        ("'quoted'", "quoted"),
        ("Café naïve Łódź Ærø", "cafe naive lodz aero"),
        ("e\u0301", "e"),
        ("ＦＵＬＬ ｗｉｄｔｈ", "full width"),
        ("Straße", "strasse"),
        ("ﬁne", "fine"),
        ("Пример Йод", "пример йод"),
        ("猫", "猫"),
        ("東京", "東京"),
        ("東京都 2077", "東京 京都 2077"),
        ("ガンダムX", "ガン ンダ ダム x"),
        ("ｶﾞﾝﾀﾞﾑ", "ガン ンダ ダム"),
        ("한국 음식", "한국 음식"),
        ("猫cat犬", "猫 cat 犬"),
    ],
)
def test_words(text: str, expected: str) -> None:
    assert " ".join(words(text)) == expected


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("初音未来", "一个女孩初音未来站着"),
        ("桜ミクの服", "桜ミクの服を着た少女"),
        ("แมวส้ม", "ภาพวาดแมวส้มตัวใหญ่"),
    ],
)
def test_a_name_without_spaces_around_it_stands_in_the_sentence(name: str, sentence: str) -> None:
    mine, said = words(name), words(sentence)
    assert any(said[at : at + len(mine)] == mine for at in range(len(said)))


@pytest.mark.parametrize(
    ("plural", "one"),
    [
        pair.split(":")
        for pair in (
            "cats:cat boxes:box witches:witch dresses:dress cities:city heroes:hero shoes:shoe"
            " movies:movie women:woman wolves:wolf knives:knife houses:house roses:rose"
            " glasses:glasses eyes:eye sizes:size gloves:glove children:child headaches:headache"
            " bushes:bush zombies:zombie fairies:fairy sunglasses:sunglasses"
        ).split()
    ],
)
def test_plurals_lose_their_ending(plural: str, one: str) -> None:
    assert singular(plural) == one
    assert singular(one) == one


@pytest.mark.parametrize(
    "word",
    [
        "dress",
        "virus",
        "tennis",
        "lens",
        "canvas",
        "series",
        "christmas",
        "bus",
        "gas",
        "is",
        "s",
        "chaos",
        "jesus",
        "boss",
    ],
)
def test_what_is_no_plural_stays(word: str) -> None:
    assert singular(word) == word


def test_stop_words_go_from_the_content_alone() -> None:
    assert words("a cat on the wall") == ["a", "cat", "on", "the", "wall"]
    assert content_words("a cat on the wall") == ["cat", "wall"]
    assert content_words(" ".join(STOP)) == []


@settings(deadline=None)
@given(st.text(st.characters(), max_size=80))
def test_words_are_folded_and_nothing_but_words(text: str) -> None:
    for word in words(text):
        assert word
        assert word == word.casefold()
        assert not set(word) & set(" \t\n_-,.:()[]{}|\\'")


@settings(deadline=None)
@given(st.text(st.characters(), max_size=60))
def test_case_and_width_change_nothing(text: str) -> None:
    assert words(text.upper().lower()) == words(text.lower())


@settings(deadline=None)
@given(
    st.lists(st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=12), max_size=8)
)
def test_ascii_and_unicode_go_the_same_way(parts: list[str]) -> None:
    text = " ".join(parts)
    assert words(f"{text} 猫") == [*words(text), "猫"]
    assert words("_".join(parts)) == words(text)


@settings(deadline=None)
@given(st.text(string.ascii_lowercase, min_size=1, max_size=14))
def test_one_of_one_is_one(word: str) -> None:
    assert singular(word)
    assert len(singular(word)) <= len(word)


def test_a_catalogue_is_tokenised_in_seconds() -> None:
    """Over a million words a second here; 100,000 cards of 60 words then take under six seconds."""
    rng = random.Random(7)
    stems = [
        "".join(rng.choices(string.ascii_lowercase, k=rng.randint(2, 9))) for _ in range(20_000)
    ]
    known = [stem + rng.choice(["", "", "s", "es", "'s", "-man"]) for stem in stems]
    cards = [" ".join(rng.choices(known, k=60)) for _ in range(2_000)]
    assert any(_rate(cards) >= 200_000 for _ in range(3))


def _rate(texts: list[str]) -> float:
    start = time.process_time()
    found = sum(len(words(text)) for text in texts)
    return found / (time.process_time() - start)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("watercolour painting", "watercolor painting"),
        ("Grey armour", "gray armor"),
        ("two colours", "two colors"),
        ("cosy theatres", "cozy theater"),
        ("pyjamas", "pajama"),
        ("Harbours", "harbor"),
    ],
)
def test_british_and_american_are_one(one: str, other: str) -> None:
    assert words(one) == words(other)

"""Tokens: nothing is lost, and each piece of syntax is seen for what it is."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stylus_ext.core.prompt.parse import Token, tokenise
from tests.core.prompt.host_reading import PROMPTS

ANY = st.text(st.characters(), max_size=200)


@settings(deadline=None, max_examples=150)
@given(ANY | PROMPTS)
@example("")
@example("\ud800\x00(\udfff")
@example("\r\n\r\u2028\x85\x0b")
def test_tokens_joined_are_the_text(text: str) -> None:
    tokens = tokenise(text)
    assert "".join(token.text for token in tokens) == text
    assert all(token.text for token in tokens)
    assert [token.start for token in tokens] == [0, *(token.end for token in tokens)][: len(tokens)]


@settings(deadline=None)
@given(ANY | PROMPTS)
def test_text_is_never_parted_from_text(text: str) -> None:
    kinds = [token.kind for token in tokenise(text)]
    assert ("text", "text") not in list(zip(kinds, kinds[1:], strict=False))


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("a cat", "text"),
        ("(a:1.2)", "round_open text weight round_close"),
        ("(a: 1.2 )", "round_open text weight round_close"),
        ("a:1.2", "text colon text"),
        ("[a:b:0.5]", "square_open text colon text colon text square_close"),
        ("[a|b]", "square_open text bar text square_close"),
        (r"\(a\)\[\]\\", "escape text escape escape escape escape"),
        (r"\a", "text"),
        ("a BREAK b", "text break text"),
        ("BREAKFAST", "text"),
        ("x_BREAK", "text"),
        ("a,BREAK,b", "text comma break comma text"),
        ("a AND b", "text and text"),
        ("ANDROID BAND and", "text"),
        ("<lora:x:0.8>", "network"),
        ("<lora:AND BREAK (:1>", "network"),
        ("<lora:x:0.8", "text colon text colon text"),
        ("<lora:>", "text colon text"),
        ("<a b:c>", "text colon text"),
        ("<b: <lora:x:1>", "network"),
        ("<lora:a#b:1>", "text colon text comment"),
        ("# (a BREAK\nb", "comment newline text"),
        ("__color__", "wildcard"),
        ("a__b__c", "text wildcard text"),
        ("__animals/*__", "wildcard"),
        ("__hair(length=long)__", "wildcard"),
        ("______", "text"),
        ("long_hair, snake__case", "text comma text"),
        ("${var}", "wildcard"),
        ("${AND}", "text brace_open and brace_close"),
        ("__a-AND-b__", "text and text"),
        ("{2$$ AND $$a}", "brace_open text and text brace_close"),
        ("${(}", "text brace_open round_open brace_close"),
        ("{2$$ ( $$a}", "brace_open text round_open text brace_close"),
        ("{a|b}", "brace_open text bar text brace_close"),
        ("{2$$a|b}", "brace_open text bar text brace_close"),
        ("{1-2$$ and $$a}", "brace_open text brace_close"),
        ("{0.5::a|2::b}", "brace_open odds text bar odds text brace_close"),
        ("a\r\nb\rc\n", "text newline text newline text newline"),
        ("a，b、c", "text comma text comma text"),
        ("A cat. It sat", "text stop text"),
        ("vs. Mr. T", "text"),
        ("1.5 x", "text"),
    ],
)
def test_syntax_is_recognised(text: str, kinds: str) -> None:
    assert " ".join(token.kind for token in tokenise(text)) == kinds


def test_a_token_knows_its_place() -> None:
    assert tokenise("a, (b)") == (
        Token("text", "a", 0),
        Token("comma", ",", 1),
        Token("text", " ", 2),
        Token("round_open", "(", 3),
        Token("text", "b", 4),
        Token("round_close", ")", 5),
    )

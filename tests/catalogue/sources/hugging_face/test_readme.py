"""READMEs: front matter, descriptions and trigger words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.catalogue.sources.hugging_face.cards import describe, split_readme, trigger_in

TEMPLATE = """---
tags:
- text-to-image
- lora
widget:
- text: 'rnfx fox, wet street'
  output:
    url: images/one.png
base_model: stabilityai/stable-diffusion-xl-base-1.0
instance_prompt: rnfx fox
date: 2026-01-02
---
# Rain Fox

<Gallery />

<!-- made by a trainer -->
## Model description

Draws a red fox in the rain, see [the page](https://example.org/x) ![picture](images/one.png).

> Soft colours.

| a | b |
|---|---|
| 1 | 2 |

## Trigger words

You should use `rnfx fox` to trigger the image generation.

## Use it with the [diffusers library](https://github.com/huggingface/diffusers)

```py
pipeline.load_lora_weights('somebody/rain-fox')
```

### Deeper

Skipped, too.

## Colours

Orange and blue.
"""


def test_the_template_of_the_hubs_own_trainer() -> None:
    head, body = split_readme(TEMPLATE)
    assert head["base_model"] == "stabilityai/stable-diffusion-xl-base-1.0"
    assert head["instance_prompt"] == "rnfx fox"
    assert head["widget"] == [{"text": "rnfx fox, wet street", "output": {"url": "images/one.png"}}]
    text = describe(body)
    for kept in ("Draws a red fox in the rain", "Soft colours.", "Orange and blue."):
        assert kept in text
    for gone in (
        "Gallery",
        "trainer",
        "pipeline",
        "Skipped",
        "| 1",
        "one.png",
        "trigger the image",
    ):
        assert gone not in text
    assert trigger_in(body) == "rnfx fox"


@pytest.mark.parametrize(
    "readme",
    [
        "",
        "no head",
        "---\nunclosed: yes\n",
        "---\n[1, 2]\n---\nbody",
        "---\n: : :\n---\nbody",
        "---\n!!python/object/apply:os.system [ls]\n---\nbody",
        "---\na: &x [1]\nb: *x\n---\nbody",
        "---\ndate: 2026-13-45\n---\nbody",
        "---\n" + "[" * 3000 + "\n---\nbody",
        "---\n" + "a: b\n" * 50_000 + "---\nbody",
        "---\na: " + "{b: " * 100 + "}" * 100 + "\n---\nbody",
        "---\n\x00\n---\nbody",
        "---\n? [a]\n: {b: c}\n---\nbody",
    ],
    ids=range(13),
)
def test_malformed_front_matter_states_nothing(readme: str) -> None:
    head, body = split_readme(readme)
    assert not head or all(isinstance(name, str) for name in head)
    assert not head.keys() & {"a", "b", "date"}
    assert isinstance(describe(body), str)


def test_yaml_bombs_are_not_expanded() -> None:
    lines = ['a: &a ["lol","lol"]'] + [
        f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)},*{chr(97 + n)}]" for n in range(20)
    ]
    assert split_readme("---\n" + "\n".join(lines) + "\n---\nbody")[0] == {}


def test_windows_line_ends_and_byte_order_marks() -> None:
    head, body = split_readme("\ufeff---\r\nlicense: mit\r\n---\r\nText.\r\n")
    assert head == {"license": "mit"}
    assert describe(body) == "Text."


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("You should use `a b` to trigger the image generation.", "a b"),
        ("Trigger word: `TOK`", "TOK"),
        ("Trigger words are `x, y`", "x, y"),
        ("nothing `here`", ""),
    ],
)
def test_trigger_words_in_a_body(body: str, words: str) -> None:
    assert trigger_in(body) == words


@given(st.text(st.sampled_from("#`-~|<>![]()ab \n"), max_size=400))
def test_any_text_is_read(text: str) -> None:
    assert len(describe(split_readme(text)[1])) <= len(text)
    trigger_in(text)


@pytest.mark.parametrize(
    "part", ["```\n", "![", "<!--", "---\n", "> ", "# ", "~~~", "<img ", "![a]("]
)
def test_repeated_markup_is_read_in_linear_time(part: str) -> None:
    describe(split_readme(part * 30_000)[1])

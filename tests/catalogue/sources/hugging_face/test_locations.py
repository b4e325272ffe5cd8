"""Addresses of the hub's files, to locations and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.catalogue.sources.hugging_face.files import HOME, HubLocation, is_path

COMMIT = "0123456789abcdef0123456789abcdef01234567"
names = st.from_regex(r"[a-zA-Z0-9][a-zA-Z0-9_-]{0,20}", fullmatch=True)
paths = st.lists(
    st.text(
        st.characters(categories=["L", "N", "Zs"], include_characters="-_.()+%#?&"),
        min_size=1,
        max_size=12,
    ),
    min_size=1,
    max_size=4,
).map("/".join)


@given(names, names, st.sampled_from([COMMIT, "main"]), paths.filter(is_path))
def test_an_address_gives_its_location_again(
    owner: str, name: str, revision: str, path: str
) -> None:
    place = HubLocation(f"{owner}/{name}", revision, path)
    assert HubLocation.of(place.url()) == place
    assert place.url("http://127.0.0.1:9").startswith("http://127.0.0.1:9/")
    assert " " not in place.url()
    assert "?" not in place.url()
    assert "#" not in place.url()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://huggingface.co",
        f"{HOME}/a/b",
        f"{HOME}/a/b/resolve/main",
        f"{HOME}/a/b/resolve/main/",
        f"{HOME}/a/b/blob/main/x.safetensors",
        f"https://evil.org/a/b/resolve/{COMMIT}/x.safetensors",
        f"http://huggingface.co/a/b/resolve/{COMMIT}/x",
        f"{HOME}.evil.org/a/b/resolve/main/x",
        f"{HOME}/a/../b/resolve/main/x",
        f"{HOME}/a/b/resolve/main/../x",
        f"{HOME}/a/b/resolve/main/%2e%2e/x",
        f"{HOME}/a/b/resolve/v1.0/x.safetensors",
        f"{HOME}/a/b/resolve/main/a%0Ab",
        f"{HOME}/a b/c/resolve/main/x",
        f"{HOME}/a/b/c/resolve/main/x",
        f"{HOME}/a/b/resolve/main/a%5Cb",
    ],
)
def test_other_addresses_have_no_location(url: str) -> None:
    assert HubLocation.of(url) is None


@pytest.mark.parametrize("path", ["", "/x", "../x", "a/../x", "x\n", "a\\b", "x" * 501])
def test_unsafe_paths(path: str) -> None:
    assert not is_path(path)

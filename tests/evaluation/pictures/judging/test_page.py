"""The page for people over real HTTP: blind, safe, resumable, and what is kept of each verdict."""

from __future__ import annotations

import http.client
import io
import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

from stylus_ext.engine.serve import listening
from stylus_ext.evaluation.pictures.judging.pairs import PicturePair, different, picture_pairs
from stylus_ext.evaluation.pictures.judging.server import (
    JudgingPage,
    judging_server,
    page_address,
)
from stylus_ext.evaluation.pictures.judging.verdicts import HUMAN_FILE, PairVerdict, VerdictFile
from stylus_ext.evaluation.pictures.report import complete_set
from tests.evaluation.pictures.test_report import better_in_one, same_in_both, write_run

TOKEN = "a-token-of-the-test"
ARMS = ("base", "stylus")


def pairs_in(folder: Path, count: int = 3, arms: tuple[str, ...] = ARMS) -> list[PicturePair]:
    made = write_run(folder, better_in_one, arms, count=count)
    return different(picture_pairs(complete_set(made, made.settings)))


@dataclass(frozen=True)
class Client:
    """Asks as the page's script does."""

    url: str
    name: str = "Ada"
    token: str = TOKEN

    def raw(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> tuple[int, bytes, dict[str, str]]:
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=30)
        with closing(connection):
            data = None if body is None else json.dumps(body)
            own = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
            connection.request(method, path, data, own | headers)
            answer = connection.getresponse()
            return answer.status, answer.read(), {k.lower(): v for k, v in answer.getheaders()}

    def ask(self, action: str, **more: Any) -> dict[str, Any]:
        status, data, _ = self.raw("POST", f"/v1/{action}", {"judge": self.name, **more})
        assert status == 200, data
        return dict(json.loads(data))

    def refused(self, action: str, **more: Any) -> bool:
        return self.raw("POST", f"/v1/{action}", {"judge": self.name, **more})[0] == 400

    def picture(self, path: str) -> Image.Image:
        return Image.open(io.BytesIO(self.raw("GET", path)[1]))


@contextmanager
def page_of(folder: Path, pairs: list[PicturePair], repeated: float = 0.0) -> Iterator[Client]:
    page = JudgingPage(folder, pairs, VerdictFile(folder / HUMAN_FILE), repeated)
    server = judging_server(page, TOKEN)
    with listening(0) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield Client(page_address(listener, TOKEN))
        finally:
            server.should_exit = True
            thread.join(30)


def verdicts(folder: Path) -> list[PairVerdict]:
    return VerdictFile(folder / HUMAN_FILE).latest()


def test_every_pair_is_judged_once_and_kept_at_once(tmp_path: Path) -> None:
    pairs = pairs_in(tmp_path / "out")
    with page_of(tmp_path / "out", pairs) as client:
        view = client.ask("next")
        assert (view["done"], view["total"], len(pairs)) == (0, 6, 6)
        for number in range(6):
            view = client.ask("choose", trial=view["trial"], choice="left")
            assert view["done"] == number + 1
            assert len(verdicts(tmp_path / "out")) == number + 1
        assert (view["trial"], view["pictures"], view["prompt"]) == (None, [], "")
    kept = verdicts(tmp_path / "out")
    assert {each.pair for each in kept} == {pair.id for pair in pairs}
    assert {each.judge for each in kept} == {"Ada"}
    assert Counter(each.winner for each in kept) == {"base": 3, "stylus": 3}


def test_another_day_and_another_judge(tmp_path: Path) -> None:
    pairs = pairs_in(tmp_path / "out")
    with page_of(tmp_path / "out", pairs) as client:
        view = client.ask("next")
        view = client.ask("choose", trial=view["trial"], choice="tie")
    with page_of(tmp_path / "out", pairs) as client:
        again = client.ask("next")
        assert (again["trial"], again["done"]) == (view["trial"], 1)
        assert client.ask("next") == replace(client, name=" Ada ").ask("next")
        other = replace(client, name="Grace").ask("next")
        assert other["done"] == 0


def test_the_order_and_the_sides_differ_between_judges(tmp_path: Path) -> None:
    pairs = pairs_in(tmp_path / "out", count=12)
    shown = {}
    with page_of(tmp_path / "out", pairs) as client:
        for name in ("Ada", "Grace"):
            of_name = replace(client, name=name)
            view = of_name.ask("next")
            while view["trial"] is not None:
                view = of_name.ask("choose", trial=view["trial"], choice="left")
    for name in ("Ada", "Grace"):
        kept = verdicts(tmp_path / "out")
        shown[name] = [(each.pair, each.left) for each in kept if each.judge == name]
        assert Counter(left for _, left in shown[name]) == {"base": 12, "stylus": 12}
    assert shown["Ada"] != shown["Grace"]
    assert sorted(shown["Ada"]) != sorted(shown["Grace"])


def test_undo_shows_the_last_pair_again(tmp_path: Path) -> None:
    with page_of(tmp_path / "out", pairs_in(tmp_path / "out")) as client:
        assert client.refused("undo")
        first = client.ask("next")
        second = client.ask("choose", trial=first["trial"], choice="left")
        client.ask("choose", trial=second["trial"], choice="right")
        assert client.ask("undo") == second
        assert client.ask("undo") == first
        client.ask("choose", trial=first["trial"], choice="tie")
    choices = [each.choice for each in verdicts(tmp_path / "out")]
    assert sorted(choices) == ["", "tie"]


def test_a_second_click_and_an_unknown_choice_are_refused(tmp_path: Path) -> None:
    with page_of(tmp_path / "out", pairs_in(tmp_path / "out")) as client:
        trial = client.ask("next")["trial"]
        assert client.refused("choose", trial=trial, choice="both")
        assert client.refused("choose", trial="x", choice="left")
        assert client.refused("choose", trial=trial + 1, choice="left")
        client.ask("choose", trial=trial, choice="left")
        assert client.refused("choose", trial=trial, choice="left")
        for name in ("", " ", "x" * 61, "a\0b", "a" * 300):
            assert replace(client, name=name).refused("next")
    assert len(verdicts(tmp_path / "out")) == 1


def test_a_share_of_the_pairs_comes_again_with_swapped_sides(tmp_path: Path) -> None:
    pairs = pairs_in(tmp_path / "out", count=10)
    with page_of(tmp_path / "out", pairs, repeated=0.2) as client:
        view = client.ask("next")
        assert view["total"] == 24
        while view["trial"] is not None:
            view = client.ask("choose", trial=view["trial"], choice="left")
    kept = verdicts(tmp_path / "out")
    places = {(each.pair, each.repeat): place for place, each in enumerate(kept)}
    repeats = [each for each in kept if each.repeat]
    assert len(repeats) == 4
    for each in repeats:
        first = kept[places[each.pair, False]]
        assert (first.left, first.right) == (each.right, each.left)
        assert places[each.pair, True] - places[each.pair, False] >= 5 or each in kept[-4:]


def test_nothing_that_the_page_gets_names_an_arm_or_a_file(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "out", better_in_one, ARMS, count=3)
    for made in folder.pictures():
        file = tmp_path / "out" / made.file
        picture = Image.open(file).convert("RGB")
        size = (60, 52) if made.arm == "stylus" else (48, 48)
        picture.resize(size).save(file, pnginfo=_infotext(f"{made.arm} <lora:secret:1>"))
    pairs = different(picture_pairs(complete_set(folder, folder.settings)))
    addresses = []
    with page_of(tmp_path / "out", pairs, repeated=0.5) as client:
        view = client.ask("next")
        while view["trial"] is not None:
            addresses += view["pictures"]
            texts = [json.dumps(view)]
            sizes = set()
            for path in view["pictures"]:
                status, data, headers = client.raw("GET", path)
                assert status == 200
                assert b"tEXt" not in data
                picture = Image.open(io.BytesIO(data))
                sizes.add(max(picture.size))
                del headers["content-security-policy"]
                texts += [json.dumps(headers), str(picture.info)]
            assert len(sizes) == 1
            for word in ("base", "stylus", "arm", "lora", "secret", ".png"):
                assert not any(word in text for text in texts), word
            view = client.ask("choose", trial=view["trial"], choice="left")
    assert len(set(addresses)) == len(addresses)


def _infotext(text: str) -> Any:
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("parameters", text)
    return info


def test_the_left_picture_is_that_of_the_left_arm(tmp_path: Path) -> None:
    """In the arm `stylus` the pictures have one colour, in the other they are noise."""
    with page_of(tmp_path / "out", pairs_in(tmp_path / "out")) as client:
        view = client.ask("next")
        darkest = [
            np.asarray(client.picture(path)).min(axis=(0, 1)).sum() for path in view["pictures"]
        ]
        client.ask("choose", trial=view["trial"], choice="left")
    is_coloured = bool(darkest[0] > darkest[1])
    assert (verdicts(tmp_path / "out")[0].left == "stylus") is is_coloured


def test_same_pictures_are_not_shown(tmp_path: Path) -> None:
    made = write_run(tmp_path / "out", same_in_both)
    assert different(picture_pairs(complete_set(made, made.settings))) == []


def test_only_who_has_the_token_is_answered(tmp_path: Path) -> None:
    with page_of(tmp_path / "out", pairs_in(tmp_path / "out")) as client:
        path = client.ask("next")["pictures"][0]
        for token in ("", "Bearer", "Bearer wrong", f"Basic {TOKEN}"):
            for method, where in (("POST", "/v1/next"), ("GET", path), ("GET", "/other")):
                assert client.raw(method, where, {}, Authorization=token)[0] == 401
        assert client.raw("POST", "/v1/next", {"judge": "Ada"}, Host="example.org")[0] == 403
        assert client.raw("GET", "/", Host="example.org")[0] == 403
        assert client.raw("POST", "/v1/next", {"judge": "x" * 20_000})[0] == 413
        assert client.raw("POST", "/v1/next", [1])[0] == 400
        assert client.raw("GET", "/v1/pictures/" + "0" * 64)[0] == 404


def test_the_page_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    with page_of(tmp_path / "out", pairs_in(tmp_path / "out")) as client:
        for path in ("/", "/judge.js", "/judge.css", "/v1/next"):
            status, data, headers = client.raw("GET", path, Authorization="")
            assert status == (401 if path.startswith("/v1") else 200)
            assert "default-src 'none'" in headers["content-security-policy"]
            assert "unsafe" not in headers["content-security-policy"]
            assert headers["referrer-policy"] == "no-referrer"
            assert headers["cache-control"] == "no-store"
            assert b"http:" not in data
            assert b"https:" not in data
            assert TOKEN.encode() not in data


def test_a_torn_line_loses_one_verdict(tmp_path: Path) -> None:
    pairs = pairs_in(tmp_path / "out")
    with page_of(tmp_path / "out", pairs) as client:
        view = client.ask("next")
        for _ in range(3):
            view = client.ask("choose", trial=view["trial"], choice="left")
    file = tmp_path / "out" / HUMAN_FILE
    file.write_bytes(file.read_bytes()[:-10] + b'\n[1]\n{"judge": 1}\n')
    with page_of(tmp_path / "out", pairs) as client:
        view = client.ask("next")
        assert view["done"] == 2
        client.ask("choose", trial=view["trial"], choice="left")
    assert len(verdicts(tmp_path / "out")) == 3


def test_a_picture_that_is_made_again_is_judged_again(tmp_path: Path) -> None:
    pairs = pairs_in(tmp_path / "out")
    changed = replace(pairs[0], other=(replace(pairs[0].other[0], sha256="0" * 64),))
    assert changed.id != pairs[0].id
    with page_of(tmp_path / "out", [pairs[0]]) as client:
        client.ask("choose", trial=client.ask("next")["trial"], choice="left")
    with page_of(tmp_path / "out", [changed]) as client:
        assert client.ask("next")["done"] == 0


def test_each_other_arm_is_compared_with_the_reference(tmp_path: Path) -> None:
    pairs = pairs_in(tmp_path / "out", arms=("base", "stylus", "random"))
    assert Counter(pair.arms for pair in pairs)[ARMS] == 6
    assert {pair.arms[0] for pair in pairs} == {"base"}


@pytest.mark.parametrize("repeated", [0.0, 1.0])
def test_few_pairs_can_be_judged_too(tmp_path: Path, repeated: float) -> None:
    pairs = pairs_in(tmp_path / "out", count=1)[:1]
    with page_of(tmp_path / "out", pairs, repeated) as client:
        view = client.ask("next")
        assert view["total"] == 1  # a repeat would follow at once
        while view["trial"] is not None:
            view = client.ask("choose", trial=view["trial"], choice="right")

"""What can be said of the environment, whatever its state."""

from __future__ import annotations

import json

from stylus_ext.environment.build import build
from stylus_ext.environment.doctor import facts, text
from stylus_ext.environment.layout import MANIFEST
from stylus_ext.environment.progress import BuildProgress, write_progress
from tests.environment.wheels import BuildFolder, lock_text, options


def test_before_anything_was_built(shop: BuildFolder) -> None:
    message = facts(shop.home.folder, shop.locks)
    assert (message["built"], message["problem"], message["log"], message["parts"]) == (
        False,
        None,
        None,
        [],
    )
    assert "not built yet; any command builds it" in text(message)
    assert json.loads(json.dumps(message)) == message


def test_while_it_is_built_and_after_it_failed(shop: BuildFolder) -> None:
    shop.home.folder.mkdir()
    write_progress(shop.home.progress, BuildProgress("fetching", 83, 830, 60))
    assert "fetching: 83 of about 830 MB, about 60 s left" in text(
        facts(shop.home.folder, shop.locks)
    )
    write_progress(
        shop.home.progress, BuildProgress("stopped", error="The disk is full.", finished=True)
    )
    message = facts(shop.home.folder, shop.locks)
    assert message["problem"] == "The disk is full."
    assert "problem       The disk is full." in text(message)


def test_when_it_is_in_place_and_when_a_manifest_is_broken(shop: BuildFolder) -> None:
    environment = shop.plan()
    build(environment, options(shop))
    message = facts(shop.home.folder, shop.locks)
    part = next(one for one in message["parts"] if one["name"] == environment.key)
    assert part["packages"] == {"stylus_tiny": "1.0"}
    assert message["log"] == str(shop.home.log)
    assert f"{environment.key}: 0 MB, 1 packages" in text(message)
    (environment.parts[0].folder / MANIFEST).write_text("{")
    assert facts(shop.home.folder, shop.locks)["parts"][0]["packages"] == {}


def test_a_python_without_a_lock_is_the_problem(shop: BuildFolder) -> None:
    path = next(path for path in shop.locks.iterdir() if path.name != "test.txt")
    path.write_text(lock_text({}, pythons="3.8"))
    message = facts(shop.home.folder, shop.locks)
    assert "needs Python 3.8" in message["problem"]
    assert "problem " in text(message)
    assert "key" not in message

"""What a sweep spares, and what it takes."""

from __future__ import annotations

import json
from pathlib import Path

from stylus_ext.environment.build import remove_leftovers, remove_replaced
from stylus_ext.environment.layout import MANIFEST, short_key, torch_folder
from stylus_ext.environment.machine import interpreter_name, python_version
from tests.environment.wheels import OWN, BuildFolder


def put(shop: BuildFolder, name: str, **message: object) -> None:
    folder = shop.home.folder / name
    folder.mkdir(parents=True)
    (folder / MANIFEST).write_text(json.dumps(message))


def left(shop: BuildFolder) -> set[str]:
    return {path.name for path in shop.home.folder.iterdir() if path.is_dir()}


def test_leftovers_of_a_killed_build_go(shop: BuildFolder) -> None:
    for name in ("new-a", "old-b", "old-tmp-1", "tmp"):
        (shop.home.folder / name / "deep").mkdir(parents=True)
    put(shop, "abcd1234")
    (shop.home.folder / "new-file").write_text("")
    remove_leftovers(shop.home)
    assert left(shop) == {"abcd1234"}
    assert (shop.home.folder / "new-file").exists()


def test_own_parts_stay_and_own_old_ones_go(shop: BuildFolder) -> None:
    environment = shop.plan(tests=True, torch=OWN)
    for part in environment.parts:
        put(
            shop,
            part.folder.name,
            python=python_version(),
            lock=short_key(part.lock.text) if part.lock else None,
        )
    put(shop, "oldone01", python=python_version(), lock="other")
    put(shop, "torch-2.12.0-311", python=python_version(), lock=None)
    put(shop, "broken01")
    (shop.home.folder / "broken01" / MANIFEST).write_text("{")
    (shop.home.folder / "hold").mkdir()
    gone = remove_replaced(environment)
    assert {path.name for path in gone} == {"oldone01", "torch-2.12.0-311", "broken01"}
    assert left(shop) == {"hold", *(part.folder.name for part in environment.parts)}


def test_building_for_commands_spares_the_test_tools(shop: BuildFolder) -> None:
    tools = shop.plan(tests=True).parts[0].folder.name
    put(shop, tools, python=python_version(), lock="x")
    remove_replaced(shop.plan(tests=False))
    assert left(shop) == {tools}


def test_another_pythons_parts_of_the_same_lists_stay(shop: BuildFolder) -> None:
    environment = shop.plan()
    same = sorted(environment.lock_keys)[0]
    put(shop, "other001", python="3.9", lock=same)
    put(shop, "torch-2.13.0-39", python="3.9", lock=None)
    put(shop, "other002", python="3.8", lock="older list")
    put(shop, "torch-2.13.0-38", python="3.8", lock=None)
    remove_replaced(environment)
    assert left(shop) == {"other001", "torch-2.13.0-39"}


def test_what_another_interpreter_uses_stays(shop: BuildFolder, tmp_path: Path) -> None:
    """Also from another lock, and with its torch; not if the interpreter is gone."""
    torch = {"version": "2.13.0", "reused": False}
    put(shop, "theirs01", python=python_version(), lock="older list", torch=torch)
    put(shop, torch_folder("2.13.0", python_version()), python=python_version(), lock=None)
    put(shop, "gone0001", python=python_version(), lock="older list")
    put(shop, "mine0001", python=python_version(), lock="older list")
    names = {
        f"{python_version()} {tmp_path}": "theirs01",
        f"{python_version()} {tmp_path / 'no-such-venv'}": "gone0001",
        interpreter_name(): "mine0001",
    }
    shop.home.current.write_text(json.dumps(names))
    remove_replaced(shop.plan())
    assert left(shop) == {"theirs01", torch_folder("2.13.0", python_version())}


def test_an_entry_by_version_alone_counts_while_its_lock_is_in_use(shop: BuildFolder) -> None:
    """As older versions wrote it; it may be another interpreter's."""
    environment = shop.plan()
    put(shop, "theirs01", python=python_version(), lock=sorted(environment.lock_keys)[0])
    put(shop, "older001", python=python_version(), lock="older list")
    shop.home.current.write_text(json.dumps({python_version(): "theirs01"}))
    remove_replaced(environment)
    assert left(shop) == {"theirs01"}
    put(shop, "older001", python=python_version(), lock="older list")
    shop.home.current.write_text(json.dumps({python_version(): "older001"}))
    remove_replaced(environment)
    assert left(shop) == set()

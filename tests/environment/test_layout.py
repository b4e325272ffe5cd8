"""Keys, folders and locks: what changes the key, and what a lock says of itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stylus_ext.core.errors import SetupProblem
from stylus_ext.environment.build import build
from stylus_ext.environment.commands import ENGINE_COMMANDS, groups_of
from stylus_ext.environment.layout import (
    OPTIONAL_GROUPS,
    ROOT,
    default_home,
    default_locks,
    read_lock,
    short_key,
)
from stylus_ext.environment.machine import Torch, interpreter_name, python_version
from tests.environment.wheels import OWN, REUSED, BuildFolder, is_ready, lock_text, options


def test_the_key_follows_lock_and_torch(shop: BuildFolder) -> None:
    first = shop.plan()
    assert shop.plan().key == first.key
    assert shop.plan(torch=Torch("2.3.1", reused=True)).key != first.key
    assert shop.plan(torch=OWN).key != shop.plan(torch=Torch(OWN.version, reused=True)).key
    shop.test_lock("2.0")
    assert shop.plan().key == first.key, "the test tools have a folder of their own"
    assert shop.plan(tests=True).parts[0].folder.name not in first.keep
    shop.engine_lock("2.0")
    assert shop.plan().key != first.key


def test_the_path_has_tests_then_engine_then_torch_then_the_extension(shop: BuildFolder) -> None:
    path = shop.plan(tests=True, torch=OWN).path
    names = [Path(one).name for one in path]
    assert names[0].startswith("t")
    assert names[2].startswith("torch-")
    assert path[-1] == str(ROOT)
    assert len(shop.plan(tests=False, torch=REUSED).path) == 2


@pytest.mark.parametrize("group", OPTIONAL_GROUPS)
def test_an_optional_group_lies_behind_the_engines_packages(shop: BuildFolder, group: str) -> None:
    with pytest.raises(SetupProblem):
        shop.plan(groups=[group])
    plain = shop.plan()
    shop.group_lock(group)
    wanted = shop.plan(torch=OWN, groups=[group])
    names = [part.folder.name for part in wanted.parts]
    assert [name.partition("-")[0] for name in names[-2:]] == ["torch", group]
    assert shop.plan().key == plain.key
    assert shop.plan().parts == plain.parts
    assert names[-1] in shop.plan().keep


def test_several_groups_have_one_order_and_an_unknown_one_is_refused(shop: BuildFolder) -> None:
    for group in OPTIONAL_GROUPS:
        shop.group_lock(group)
    several = list(OPTIONAL_GROUPS)
    assert shop.plan(groups=several).parts == shop.plan(groups=several[::-1]).parts
    with pytest.raises(SetupProblem):
        shop.plan(groups=["evaluations"])


def test_every_optional_group_serves_known_commands_and_has_a_lock() -> None:
    for group, needed_by in OPTIONAL_GROUPS.items():
        assert set(needed_by) <= ENGINE_COMMANDS.keys()
        assert (default_locks() / f"{group}.txt").is_file()
    assert groups_of("plan") == []
    assert groups_of("train") == ["evaluation"]


def test_a_lock_for_other_pythons_is_refused(shop: BuildFolder) -> None:
    path = next(path for path in shop.locks.iterdir() if path.name != "test.txt")
    path.write_text(lock_text({}, pythons="3.8"))
    with pytest.raises(SetupProblem, match=rf"3\.8.*{python_version()}"):
        shop.plan()


def test_a_missing_lock_is_refused(shop: BuildFolder) -> None:
    (shop.locks / "test.txt").unlink()
    with pytest.raises(SetupProblem):
        shop.plan()


def test_a_lock_says_its_sizes_and_packages(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_text(lock_text({"a==1": "00", "b-c==2.0": "11"}, "190 to download, 640 unpacked"))
    lock = read_lock(path)
    assert (lock.download_mb, lock.disk_mb) == (190, 640)
    assert lock.packages == {"a": "1", "b-c": "2.0"}


def test_a_damaged_current_file_means_not_ready(shop: BuildFolder) -> None:
    shop.home.folder.mkdir()
    for text in ("", "[]", "{", '"x"'):
        shop.home.current.write_text(text)
        assert not shop.plan().ready


def test_an_environment_named_by_version_alone_is_still_current(shop: BuildFolder) -> None:
    build(shop.plan(), options(shop))
    environment = shop.plan()
    shop.home.current.write_text(json.dumps({python_version(): environment.key}))
    assert is_ready(environment)
    shop.home.current.write_text(
        json.dumps({python_version(): environment.key, interpreter_name(): "another1"})
    )
    assert not is_ready(environment)


def test_names_are_short_for_windows() -> None:
    assert len(short_key("a", "b")) == 8
    assert short_key("a", "b") != short_key("b", "a")
    assert default_home().folder == ROOT / ".engine"
    assert default_locks().is_dir()

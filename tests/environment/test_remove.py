"""Removing takes all of `.engine`, or says who is in the way."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stylus_ext.core.errors import SetupProblem
from stylus_ext.environment.build import build
from stylus_ext.environment.commands import remove_home
from stylus_ext.environment.files import hold_folder
from tests.environment.wheels import BuildFolder, options


def test_all_of_it_goes_once_nobody_uses_it(shop: BuildFolder) -> None:
    environment = shop.plan()
    build(environment, options(shop))
    (shop.home.folder / "new-half").mkdir()
    held = hold_folder(environment.parts[0].folder, "the engine")
    with pytest.raises(SetupProblem, match=f"the engine.*{os.getpid()}"):
        remove_home(shop.home)
    assert environment.parts[0].ready
    held.release()
    remove_home(shop.home)
    assert not shop.home.folder.exists()
    assert shop.wheels.is_dir(), "nothing beside it is touched"


@pytest.mark.skipif(
    os.name == "nt" or not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may delete all"
)
def test_what_cannot_be_deleted_is_said(shop: BuildFolder) -> None:
    build(shop.plan(), options(shop))
    folder = Path(shop.plan().parts[0].folder)
    folder.chmod(0o500)
    try:
        with pytest.raises(SetupProblem):
            remove_home(shop.home)
    finally:
        folder.chmod(0o700)

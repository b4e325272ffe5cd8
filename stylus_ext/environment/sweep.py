"""Deletes what a build left over and what a newer environment replaced, unless a process uses
it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from stylus_ext.environment.holds import users
from stylus_ext.environment.layout import MANIFEST, Environment, Home
from stylus_ext.environment.machine import python_version
from stylus_ext.environment.placing import give_name

_LEFTOVERS = ("new-", "old-", "tmp")


def remove_leftovers(home: Home) -> None:
    """What a killed build began; the caller holds the build's lock, so nobody is at it."""
    for path in home.folder.iterdir():
        if path.name.startswith(_LEFTOVERS) and path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
    scratch = home.folder / "tmp"
    if scratch.exists():
        # Its pip is on its way out, or a virus scanner looks: aside with it.
        give_name(scratch, home.folder / f"old-tmp-{scratch.stat().st_mtime_ns}")


def remove_replaced(environment: Environment) -> list[Path]:
    """Folders that this environment replaces, except those that a process holds; returns what
    went.
    """
    folder = environment.home.folder
    manifests = {path.parent.name: _read(path) for path in folder.glob(f"*/{MANIFEST}")}
    wanted = set(environment.keep) | _of_other_pythons(environment, manifests)
    removed = []
    for name in sorted(manifests):
        path = folder / name
        if name in wanted or users(path):
            continue
        aside = path.with_name(f"old-{name}")
        try:
            path.rename(aside)
        except OSError:
            continue  # Windows: a file in it is open. The next build tries again.
        shutil.rmtree(aside, ignore_errors=True)
        removed.append(path)
    return removed


def _of_other_pythons(
    environment: Environment, manifests: Mapping[str, Mapping[str, object]]
) -> set[str]:
    """A WebUI's Python and the user's own may share this folder: what is made from the same lists
    stays.
    """
    others = {
        name: said for name, said in manifests.items() if said.get("python") != python_version()
    }
    listed = {name for name, said in others.items() if said.get("lock") in environment.lock_keys}
    pythons = {others[name].get("python") for name in listed}
    return listed | {
        name
        for name, said in others.items()
        if said.get("lock") is None and said.get("python") in pythons
    }


def _read(path: Path) -> dict[str, object]:
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}

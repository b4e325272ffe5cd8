"""axe-core, which finds what keeps people from using a page: the script of its npm package, fetched
once and known by its hash.

`STYLUS_AXE` names a copy; without one, and without npm, whoever wants it hears why it is not here.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from stylus_ext.environment.layout import default_home
from tests.browser.chromium import is_required

if TYPE_CHECKING:
    from playwright.sync_api import Page


VERSION = "4.14.1"
SHA256 = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"
_MEMBER = "package/axe.min.js"
_PATIENCE_S = 120
_RUN = """place => axe.run(place, {resultTypes: ['violations']}).then(found => found.violations
    .filter(one => ['serious', 'critical'].includes(one.impact))
    .map(one => `${one.id}: ${one.nodes.map(node => `${node.html.slice(0, 200)} (${node.failureSummary})`).join(' | ')}`))"""  # noqa: E501


class NoAxe(Exception):
    """With the reason."""


def script() -> str:
    stated = os.environ.get("STYLUS_AXE")
    path = Path(stated) if stated else default_home().folder / f"axe-{VERSION}.min.js"
    if not path.exists() and not stated:
        _fetch(path)
    text = path.read_bytes()
    if hashlib.sha256(text).hexdigest() != SHA256:
        raise NoAxe(f"{path} is not axe-core {VERSION}.")
    return text.decode("utf-8")


def has_axe() -> bool:
    """Whether axe-core can be had; a run that requires the browser tests fails without it."""
    try:
        script()
    except NoAxe as missing:
        if is_required():
            pytest.fail(str(missing))
        return False
    return True


def serious(page: Page, place: str) -> list[str]:
    """What axe finds serious or critical below a place."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(script())
    found: list[Any] = page.evaluate(_RUN, place)
    return [str(one) for one in found]


def _fetch(path: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise NoAxe(
            "axe-core is not here, and npm, which would fetch it, is not either; STYLUS_AXE may"
            " name a copy."
        )
    folder = path.parent / f".axe.{os.getpid()}"
    folder.mkdir(parents=True)
    try:
        ran = subprocess.run(
            [npm, "pack", f"axe-core@{VERSION}"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
            check=False,
        )
        packed = next(folder.glob("*.tgz"), None)
        if packed is None:
            raise NoAxe(f"npm did not fetch axe-core: {ran.stderr[-300:]}")
        with tarfile.open(packed) as archive:
            member = archive.extractfile(_MEMBER)
            assert member is not None
            (folder / "axe.js").write_bytes(member.read())
        (folder / "axe.js").replace(path)
    except subprocess.TimeoutExpired as late:
        raise NoAxe(f"npm did not fetch axe-core within {_PATIENCE_S} s.") from late
    finally:
        shutil.rmtree(folder)

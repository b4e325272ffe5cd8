"""A copy of the extension that is not set up, and whose environment is two tiny packages: what the
panel says of it is real.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stylus_ext.environment import machine
from stylus_ext.environment.layout import ROOT, Home
from tests.environment.wheels import BuildFolder, copy_of_extension

# An engine that never says that it is ready, and ends with its parent.
_WAITING_CLI = '''"""A command line that waits."""
import sys


def main(argv):
    sys.stdin.read()
    return 0
'''


@dataclass(frozen=True, slots=True)
class Copied:
    folder: Path
    shop: BuildFolder

    @property
    def root(self) -> Path:
        return self.folder / "extension"

    @property
    def home(self) -> Home:
        return Home(self.root / ".engine")

    def hide_wheels(self) -> None:
        """As if the index did not answer."""
        self.shop.wheels.rename(self.shop.wheels.with_name("hidden"))

    def show_wheels(self) -> None:
        self.shop.wheels.with_name("hidden").rename(self.shop.wheels)

    def orders(self) -> dict[str, Any]:
        found = machine.choose_torch(machine.platform_name(), machine.engine_search_path())
        variables = {
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.shop.wheels),
            "PIP_CONFIG_FILE": os.devnull,
        }
        (self.folder / "loras").mkdir()
        return {
            "folder": str(self.folder / "webui"),
            "loras": str(self.folder / "loras"),
            "torch": [found.version, found.reused],
            "variables": variables,
        }


def copied(folder: Path) -> Copied:
    made = Copied(folder, copy_of_extension(folder))
    package, ignored = made.root / "stylus_ext", shutil.ignore_patterns("__pycache__")
    for name in ("core", "host"):
        shutil.copytree(
            ROOT / "stylus_ext" / name, package / name, ignore=ignored, dirs_exist_ok=True
        )
    for name in ("scripts", "javascript", "tests"):
        shutil.copytree(ROOT / name, made.root / name, ignore=ignored, dirs_exist_ok=True)
    shutil.copy(ROOT / "style.css", made.root / "style.css")
    (package / "cli" / "main.py").write_text(_WAITING_CLI, encoding="utf-8")
    return made

"""Where the user's data lies: an argument, a variable or the platform's habit go in, a path comes
out.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from stylus_ext.environment.problems import SetupProblem

VARIABLE = "STYLUS_DATA_DIR"
_NAME = "stylus-webui"


def data_folder(argument: str | None = None) -> Path:
    """--data-dir, else STYLUS_DATA_DIR, else the platform's folder for this user; nothing is
    made.
    """
    stated = argument or os.environ.get(VARIABLE)
    try:
        if stated:
            return Path(stated).expanduser().absolute()
        return platform_folder(sys.platform, os.environ, Path.home())
    except RuntimeError as error:  # no HOME, and no such user
        raise SetupProblem(
            "The folder for your data cannot be found, since this user has no home folder. Please"
            f" name one with --data-dir or {VARIABLE}."
        ) from error


def webui_folder(extension: Path) -> Path | None:
    """Where a WebUI into whose `extensions` this was installed keeps its own; None where it is in
    none.
    """
    folder = extension.parent
    return folder.parent / "stylus" if folder.name == "extensions" else None


def platform_folder(system: str, variables: Mapping[str, str], home: Path) -> Path:
    """Each system's own place for what a program keeps for one user."""
    if system == "win32":
        return Path(variables.get("LOCALAPPDATA") or home / "AppData" / "Local") / _NAME
    if system == "darwin":
        return home / "Library" / "Application Support" / _NAME
    stated = variables.get("XDG_DATA_HOME", "")
    # The standard says that a relative path there is to be ignored.
    base = Path(stated) if Path(stated).is_absolute() else home / ".local" / "share"
    return base / _NAME

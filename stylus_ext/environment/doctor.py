"""`doctor`: report the state of the environment, even if it is missing or broken."""

from __future__ import annotations

import json
import platform
import sys
from pathlib import Path
from typing import Any

from stylus_ext.core.errors import SetupProblem
from stylus_ext.environment import launch
from stylus_ext.environment.files import folder_users
from stylus_ext.environment.layout import (
    MANIFEST,
    OPTIONAL_GROUPS,
    Environment,
    Home,
    default_home,
    default_locks,
    optional_parts,
    plan_environment,
)
from stylus_ext.environment.machine import MEGABYTE
from stylus_ext.environment.progress import read_progress

_HELP = """usage: python install.py doctor [--json] [--data-dir DIR] [--files DIR]

Says what is installed, what leaves the machine, and what is wrong; with --files what each
safetensors file in a folder is.
"""


def run(words: list[str]) -> int:
    """Print the environment's state, then run the engine's doctor if it is usable."""
    try:
        environment: Environment | None = plan_environment(default_home(), default_locks())
    except SetupProblem:
        environment = None
    usable = environment is not None and environment.ready
    if {"-h", "--help"} & set(words):
        if environment is not None and usable:
            return launch.run_cli(environment, ["doctor", *words])
        sys.stdout.write(_HELP)
        return 0
    report = facts()
    if not {"--json", "--files"} & set(words):
        sys.stdout.write(text(report))
    if environment is not None and usable:
        # With --json the engine's doctor puts these facts into its own answer, which is one
        # document.
        return launch.run_cli(environment, ["doctor", *words])
    if "--json" in words:
        sys.stdout.write(json.dumps({"environment": report}, indent=1) + "\n")
    return 1 if report["problem"] else 0


def facts(home_folder: Path | None = None, locks: Path | None = None) -> dict[str, Any]:
    """Return the environment's state, ready for JSON."""
    home = default_home() if home_folder is None else Home(home_folder)
    report: dict[str, Any] = {
        "python": platform.python_version(),
        "executable": sys.executable,
        "system": f"{platform.system()} {platform.machine()}",
        "folder": str(home.folder),
        "built": False,
        "problem": None,
        "log": str(home.log) if home.log.exists() else None,
    }
    try:
        environment = plan_environment(home, locks or default_locks())
    except SetupProblem as problem:
        return report | {"problem": str(problem)}
    progress = read_progress(home.progress)
    report |= {
        "key": environment.key,
        "built": environment.ready,
        "torch": {"version": environment.torch.version, "reused": environment.torch.reused},
        "parts": [_part(path) for path in sorted(home.folder.glob(f"*/{MANIFEST}"))],
        "groups": _groups(home, locks or default_locks()),
        "building": progress.line() if progress is not None and not progress.finished else None,
    }
    if not environment.ready and progress is not None and progress.error:
        report["problem"] = progress.error
    return report


def _groups(home: Home, locks: Path) -> list[dict[str, Any]]:
    return [
        {"name": group, "commands": list(OPTIONAL_GROUPS[group]), "built": part.ready}
        for group, part in optional_parts(home, locks).items()
    ]


def _part(manifest: Path) -> dict[str, Any]:
    report = {
        "name": manifest.parent.name,
        "megabytes": 0,
        "seconds": 0,
        "packages": {},
        "used_by": folder_users(manifest.parent),
    }
    try:
        content = json.loads(manifest.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return report
    return report | {
        "megabytes": int(content.get("bytes", 0)) // MEGABYTE,
        "seconds": content.get("seconds", 0),
        "packages": content.get("packages", {}),
    }


def text(report: dict[str, Any]) -> str:
    """Format the facts for people."""
    lines = [
        "Environment",
        f"  Python        {report['python']} ({report['executable']}), {report['system']}",
    ]
    if "key" in report:
        torch = report["torch"]
        whose = (
            "the interpreter's own, reused" if torch["reused"] else "a CPU build of Stylus's own"
        )
        state = (
            "in place"
            if report["built"]
            else report["building"] or "not built yet; any command builds it"
        )
        lines += [
            f"  private part  {report['folder']} ({report['key']}): {state}",
            f"  torch         {torch['version']}, {whose}",
        ]
        lines += [
            f"  folder        {part['name']}: {part['megabytes']} MB, {len(part['packages'])}"
            f" packages, built in {part['seconds']} s"
            + (f", in use by {', '.join(part['used_by'])}" if part["used_by"] else "")
            for part in report["parts"]
        ]
        lines += [
            f"  optional      {group['name']}, for `{'`, `'.join(group['commands'])}`: "
            + ("in place" if group["built"] else "not built yet; its first use builds it")
            for group in report["groups"]
        ]
    if report["log"]:
        lines.append(f"  log           {report['log']}")
    if report["problem"]:
        lines.append(f"  problem       {report['problem']}")
    return "\n".join(lines) + "\n"

"""Starts a command in the environment's process, and passes its exit code on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from stylus_ext.environment.child import ALONE_VARIABLE, command, main_command, variables
from stylus_ext.environment.layout import Environment

CLI = "stylus_ext.cli"


def gpu_wanted() -> bool:
    """Off unless the user told another device."""
    return os.environ.get("STYLUS_DEVICE", "cpu").lower() not in ("", "cpu")


def environment_variables(environment: Environment) -> dict[str, str]:
    """What a child of this environment starts with; the host starts its engine with the same."""
    alone = {ALONE_VARIABLE: "0" if environment.torch.reused else "1"}
    return variables(environment.path, os.environ, gpu=gpu_wanted()) | alone


def run_cli(environment: Environment, arguments: list[str]) -> int:
    """The product's own commands."""
    return run(main_command(CLI, *arguments), environment_variables(environment))


def run_module(
    environment: Environment, module: str, arguments: list[str], extra: dict[str, str]
) -> int:
    """Any module of the environment, for example the test tools."""
    return run(command(module, *arguments), environment_variables(environment) | extra)


def run(words: list[str], variables_: dict[str, str], cwd: str | None = None) -> int:
    """Waits for a child in our terminal; Ctrl+C reaches it directly, and we wait for its end."""
    sys.stdout.flush()
    sys.stderr.flush()
    with subprocess.Popen(words, env=variables_, cwd=cwd) as child:
        previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
        passed_on = signal.signal(signal.SIGTERM, lambda *_: child.terminate())
        try:
            code = child.wait()
        finally:
            signal.signal(signal.SIGINT, previous)
            signal.signal(signal.SIGTERM, passed_on)
    # A child ended by a signal: as shells say it.
    return 128 - code if code < 0 else code

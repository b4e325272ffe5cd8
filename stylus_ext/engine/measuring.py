"""Measures pictures in a process of the environment for evaluation, if that is installed."""

from __future__ import annotations

import json
import logging
import subprocess
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from stylus_ext.core.errors import EnvironmentProblem, InvalidInput, Unavailable
from stylus_ext.core.ports import Progress
from stylus_ext.environment.launch import environment_variables
from stylus_ext.environment.layout import (
    Environment,
    default_home,
    default_locks,
    plan_environment,
)
from stylus_ext.environment.run_in_env import command

logger = logging.getLogger(__name__)

MODULE = "stylus_ext.evaluation.probes.child"
NOT_INSTALLED = (
    "The packages that compare pictures are not installed. `python install.py probe` in the"
    " extension's folder installs them once and measures from the command line."
)
_GROUP = "evaluation"
_TICK_S = 0.2
_LONGEST_S = 3600.0


def evaluation_environment() -> Environment:
    return plan_environment(default_home(), default_locks(), groups=(_GROUP,))


@dataclass(frozen=True, slots=True)
class MeasuringProcess:
    """Calls the process once for each LoRA; it stops when the job is cancelled."""

    environment: Callable[[], Environment] = evaluation_environment
    module: str = MODULE

    def why_not(self) -> str:
        """Why nothing can be measured here, or an empty text."""
        try:
            ready = self.environment().ready
        except EnvironmentProblem as problem:
            return str(problem)
        return "" if ready else NOT_INSTALLED

    def __call__(self, request: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
        reason = self.why_not()
        if reason:
            raise Unavailable(reason)
        environment = self.environment()
        with subprocess.Popen(
            command(self.module),
            env=environment_variables(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        ) as process:
            try:
                return _result(process, json.dumps(request), progress)
            finally:
                if process.poll() is None:
                    process.kill()


def _result(process: subprocess.Popen[str], request: str, progress: Progress) -> dict[str, Any]:
    answers: list[tuple[str, str]] = []
    reader = threading.Thread(
        target=lambda: answers.append(process.communicate(request, _LONGEST_S)),
        name="stylus-measuring",
        daemon=True,
    )
    reader.start()
    while reader.is_alive():
        reader.join(_TICK_S)
        progress.report("Comparing pictures", 0)
    output, errors = answers[0] if answers else ("", "")
    try:
        found = json.loads(output)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        logger.warning("measuring ended with %s: %s", process.returncode, errors[-2000:])
        raise Unavailable("The pictures could not be compared. See the engine's log.")
    if "error" in found:
        raise InvalidInput(str(found["error"]))
    return found

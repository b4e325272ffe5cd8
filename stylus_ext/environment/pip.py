"""Fill a folder with pip, and explain its failures."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from stylus_ext.core.errors import SetupProblem
from stylus_ext.environment.machine import MEGABYTE, folder_size

Tell = Callable[[str, int], None]
"""Called with a step's name and the megabytes present."""

# Looking at a folder's size may cost this share of the time, no more.
_LOOK_SHARE = 10


@dataclass(frozen=True, slots=True)
class Pip:
    """Calls pip with extra arguments and a log, and reports progress."""

    log: TextIO
    scratch: Path
    tell: Tell
    extra: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    def install(self, into: Path, arguments: tuple[str, ...], step: str) -> None:
        """Install packages into a folder; raise SetupProblem with pip's reason."""
        output = self._run(
            [
                "install",
                "--target",
                str(into),
                "--no-deps",
                "--only-binary",
                ":all:",
                "--no-compile",
                *arguments,
            ],
            step,
            into,
        )
        if output is not None:
            raise SetupProblem(failure_message(output, str(self.log.name)))

    def dependencies_of(self, arguments: tuple[str, ...], step: str) -> list[str]:
        """Return the dependencies of what pip would install, without downloading it."""
        report = self.scratch / "report.json"
        words = [
            "install",
            "--dry-run",
            "--quiet",
            "--ignore-installed",
            "--no-deps",
            "--report",
            str(report),
        ]
        output = self._run([*words, *arguments], step, self.scratch)
        if output is not None:
            raise SetupProblem(failure_message(output, str(self.log.name)))
        chosen = json.loads(report.read_text(encoding="utf-8"))["install"]
        return [need for package in chosen for need in package["metadata"].get("requires_dist", [])]

    def _run(self, words: list[str], step: str, into: Path) -> str | None:
        """Run pip; return its last output if it failed, else None."""
        script = Path(__file__).with_name("parent_watch.py")
        command = [sys.executable, "-s", "-B", str(script), *words, *self.extra]
        self.log.write(f"\n> pip {' '.join([*words, *self.extra])}\n")
        self.log.flush()
        began = self.log.tell()
        self.tell(step, 0)
        with subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=self.log,
            stderr=subprocess.STDOUT,
            env=pip_environment(self.scratch) | dict(self.environment),
        ) as pip:
            try:
                report_size(pip, tuple({into, self.scratch}), step, self.tell)
            except BaseException:
                pip.kill()
                raise
        self.log.flush()
        if pip.returncode == 0:
            return None
        with Path(self.log.name).open(encoding="utf-8", errors="replace") as text:
            text.seek(began)
            return text.read()[-20000:]


def report_size(
    process: subprocess.Popen[bytes], folders: tuple[Path, ...], step: str, tell: Tell
) -> None:
    """Report the folders' size until the process ends."""
    pause = 0.3
    while True:
        try:
            process.wait(timeout=pause)
        except subprocess.TimeoutExpired:
            began = time.monotonic()
            size = sum(folder_size(folder) for folder in folders)
            pause = max(0.3, _LOOK_SHARE * (time.monotonic() - began))
            tell(step, size // MEGABYTE)
        else:
            return


def pip_environment(scratch: Path) -> dict[str, str]:
    """Keep the user's pip settings, except those that change where packages go."""
    names = (
        "PYTHONPATH",
        "PYTHONHOME",
        "PIP_TARGET",
        "PIP_PREFIX",
        "PIP_ROOT",
        "PIP_USER",
        "PIP_REQUIRE_HASHES",
    )
    kept = {name: value for name, value in os.environ.items() if name.upper() not in names}
    return kept | {
        "PIP_USER": "0",
        "PIP_REQUIRE_VIRTUALENV": "0",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        "PIP_NO_WARN_CONFLICTS": "1",
        "PIP_ROOT_USER_ACTION": "ignore",
        "PIP_PROGRESS_BAR": "off",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONIOENCODING": "utf-8",  # so is the log read
        # pip unpacks in the temporary folder and then moves: on one disk that is a rename.
        "TMPDIR": str(scratch),
        "TEMP": str(scratch),
        "TMP": str(scratch),
    }


_REASONS = (
    (
        r"No module named '?pip",
        (
            "This Python has no pip. Please install it ({python} -m ensurepip, or the package"
            " python3-pip on Debian) and start again."
        ),
    ),
    (
        r"DO NOT MATCH THE HASHES|hash mismatch|Hash mismatch",
        (
            "A downloaded package{name} is not the one that the list names (wrong sha256), so"
            " nothing was installed. Please try again on another network, or without a proxy or"
            " mirror that changes files."
        ),
    ),
    (
        r"No space left on device|\[Errno 28\]|WinError 112",
        ("The disk is full. Free some space and start again."),
    ),
    (
        r"Long Path support",
        (
            "A path in the extension's folder would become longer than Windows allows. Please move"
            " the WebUI to a shorter one, such as C:\\webui, or allow long paths in Windows, and"
            " start again."
        ),
    ),
    (
        r"NewConnectionError|Failed to establish|Name or service|name resolution|Max"
        r" retries|ConnectTimeout"
        r"|ReadTimeout|ProxyError|SSLError|ConnectionReset|Connection broken|connection"
        r" broken|timed out",
        (
            "The packages could not be fetched: the package index does not answer. Please check the"
            " network (or pip's proxy settings) and start again."
        ),
    ),
    (
        r"Permission denied|Read-only file system|\[Errno 13\]|\[Errno 30\]|WinError 5\b",
        (
            "A folder cannot be written. Check the permissions of the extension's folder and"
            " start again."
        ),
    ),
    (
        r"No matching distribution found|Could not find a version",
        (
            "pip found no file{name}: either the package index does not answer, or it has none for"
            " this Python and this system. Please check the network (or pip's index and proxy"
            " settings) and start again."
        ),
    ),
)


def failure_message(output: str, log: str) -> str:
    """Return the message for pip's output."""
    match = re.search(r"No matching distribution found for ([\w.\-]+==[^\s;()]+)", output)
    match = match or re.search(r"([\w.\-]+==[^\s;()]+) from .*\n\s*Expected sha256", output)
    name = f" ({match.group(1)})" if match else ""
    for pattern, sentence in _REASONS:
        if re.search(pattern, output):
            return f"{sentence.format(name=name, python=sys.executable)} Details: {log}"
    return f"pip failed for an unknown reason. Read {log} and start again."


# Packages' own tests are never imported, and of transformers' 300 models an encoder loads one; the
# rest, where it is
# wanted after all, is compiled in memory.
_NOT_COMPILED = (
    r"[\\/]tests?[\\/]"
    r"|[\\/]transformers[\\/]models[\\/](?!__init__|(?:auto|bert|distilbert|mpnet|roberta|xlm_roberta)[\\/])"
)


def compile_folder(folder: Path, tell: Tell) -> None:
    """Compile the byte code now, since the engine writes none."""
    step = "compiling"
    tell(step, folder_size(folder) // MEGABYTE)
    command = [
        sys.executable,
        "-s",
        "-m",
        "compileall",
        "-q",
        "-q",
        "-j",
        "0",
        "-x",
        _NOT_COMPILED,
        str(folder),
    ]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["PYTHONDONTWRITEBYTECODE"] = (
        "1"  # what compileall itself imports leaves nothing behind
    )
    # Some packages carry files for older Pythons, which do not compile: that harms nothing.
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            report_size(process, (folder,), step, tell)
        except BaseException:
            process.kill()
            raise

"""Build the missing parts of an environment beside the old one, then switch to it."""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from stylus_ext.core.errors import SetupProblem
from stylus_ext.core.files import rename_folder, write_file
from stylus_ext.environment import machine
from stylus_ext.environment.files import Holder, folder_users, hold
from stylus_ext.environment.layout import (
    BUILD_LOCK,
    MANIFEST,
    Environment,
    EnvironmentPart,
    Home,
    current_keys,
    default_locks,
    short_key,
    torch_folder,
)
from stylus_ext.environment.machine import interpreter_exists, interpreter_name, python_version
from stylus_ext.environment.pip import Pip, compile_folder
from stylus_ext.environment.progress import BuildProgress, ProgressMeter, megabytes, write_progress

logger = logging.getLogger(__name__)


_LEFTOVERS = ("new-", "old-", "tmp")


def remove_leftovers(home: Home) -> None:
    """Delete what a killed build left; the caller holds the build lock."""
    for path in home.folder.iterdir():
        if path.name.startswith(_LEFTOVERS) and path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
    scratch = home.folder / "tmp"
    if scratch.exists():
        # Its pip is on its way out, or a virus scanner looks: aside with it.
        rename_folder(scratch, home.folder / f"old-tmp-{scratch.stat().st_mtime_ns}")


def remove_replaced(environment: Environment) -> list[Path]:
    """Delete folders that this environment replaces and no process uses; return them."""
    folder = environment.home.folder
    manifests = _manifests(environment.home)
    wanted = environment.keep | _of_other_pythons(environment, manifests)
    wanted |= _of_other_interpreters(environment, manifests)
    removed = []
    for name in sorted(manifests):
        path = folder / name
        if name in wanted or folder_users(path):
            continue
        aside = path.with_name(f"old-{name}")
        try:
            path.rename(aside)
        except OSError:
            continue  # Windows: a file in it is open. The next build tries again.
        shutil.rmtree(aside, ignore_errors=True)
        removed.append(path)
    return removed


def _manifests(home: Home) -> dict[str, dict[str, object]]:
    return {path.parent.name: _read(path) for path in home.folder.glob(f"*/{MANIFEST}")}


def _of_other_pythons(
    environment: Environment, manifests: Mapping[str, Mapping[str, object]]
) -> set[str]:
    """Folders that another Python built from the same locks; they stay."""
    others = {
        name: manifest
        for name, manifest in manifests.items()
        if manifest.get("python") != python_version()
    }
    listed = {
        name for name, manifest in others.items() if manifest.get("lock") in environment.lock_keys
    }
    pythons = {others[name].get("python") for name in listed}
    return listed | {
        name
        for name, manifest in others.items()
        if manifest.get("lock") is None and manifest.get("python") in pythons
    }


def _of_other_interpreters(
    environment: Environment, manifests: Mapping[str, Mapping[str, object]]
) -> set[str]:
    """Folders of the environments that other interpreters use, with their torch."""
    named = set(_others(environment, manifests).values())
    folders = set(named)
    for name in named:
        manifest = manifests.get(name, {})
        torch, python = manifest.get("torch"), manifest.get("python")
        if isinstance(torch, dict):
            folders.add(torch_folder(str(torch.get("version")), str(python)))
    return folders


def _others(
    environment: Environment, manifests: Mapping[str, Mapping[str, object]]
) -> dict[str, str]:
    """The current environments of other interpreters that still exist.

    Older versions named an interpreter by its version only. Such an entry of this version may be
    another interpreter's, and counts while its lock is in use.
    """
    keys = current_keys(environment.home)
    shared = keys.pop(python_version(), environment.key)
    lock = manifests.get(shared, {}).get("lock")
    if shared != environment.key and lock in environment.lock_keys:
        keys[python_version()] = shared
    keys.pop(interpreter_name(), None)
    return {name: key for name, key in keys.items() if interpreter_exists(name)}


def _read(path: Path) -> dict[str, object]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


# Something to breathe: what is guessed, and pip's own copies.
_SPARE = 1.15


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """Options of a build; tests pass a folder of wheels or a full disk."""

    show: Callable[[BuildProgress], None] = lambda _: None
    on_wait: Callable[[Holder | None], None] | None = None
    wait_s: float = 3600.0
    pip_extra: tuple[str, ...] = ()
    torch_index: str = machine.CPU_INDEX
    free_bytes: Callable[[Path], int] = machine.free_bytes


def build(environment: Environment, options: BuildOptions) -> None:
    """Build the environment; an error is raised and kept in the progress file."""
    home = environment.home
    try:
        home.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SetupProblem(
            f"{home.folder} cannot be made: {error}. Check the permissions."
        ) from error
    with hold(home.folder, BUILD_LOCK, "building the environment", options.wait_s, options.on_wait):
        if environment.ready:
            return
        try:
            _build(environment, options)
        except SetupProblem as problem:
            _keep_error(home, str(problem))
            raise
        except OSError as error:
            message = (
                f"The environment could not be built in {home.folder}: {error}. Please"
                " check the disk and permissions."
            )
            _keep_error(home, message)
            raise SetupProblem(f"{message} Details: {home.log}") from error
        write_progress(home.progress, BuildProgress("ready", finished=True))


def _keep_error(home: Home, sentence: str) -> None:
    """Keep the error for later readers; on a full disk this may fail too."""
    with contextlib.suppress(OSError):
        write_progress(home.progress, BuildProgress("stopped", error=sentence, finished=True))


def _build(environment: Environment, options: BuildOptions) -> None:
    home = environment.home
    remove_leftovers(home)
    missing = [part for part in environment.parts if not part.ready]
    _check_space(environment, missing, options)
    scratch = home.folder / "tmp"
    scratch.mkdir()
    with home.log.open("w", encoding="utf-8", errors="replace") as log:
        meter = ProgressMeter(home.progress, missing, options.show)
        pip = Pip(log, scratch, meter.tell, options.pip_extra)
        for part in missing:
            _fill(environment, part, BuildContext(pip, meter, options))
    _check_torch(environment)
    _switch(environment)
    shutil.rmtree(scratch, ignore_errors=True)
    remove_replaced(environment)


def _check_space(
    environment: Environment, missing: list[EnvironmentPart], options: BuildOptions
) -> None:
    pairs = [megabytes(part) for part in missing]
    needed = int(sum(download + disk for download, disk in pairs) * _SPARE)
    free = options.free_bytes(environment.home.folder) // machine.MEGABYTE
    if free < needed:
        raise SetupProblem(
            f"The environment needs about {needed:,} MB in {environment.home.folder}; only"
            f" {free:,} MB are free. Free some space and start again."
        )


@dataclass(frozen=True, slots=True)
class BuildContext:
    """What is needed to fill a part."""

    pip: Pip
    meter: ProgressMeter
    options: BuildOptions


def _fill(environment: Environment, part: EnvironmentPart, at: BuildContext) -> None:
    new = part.folder.with_name(f"new-{part.folder.name}")
    began = time.monotonic()
    at.meter.begin(part)
    if part.lock is not None:
        at.pip.install(
            new, ("--require-hashes", "-r", str(part.lock.path)), "fetching and unpacking packages"
        )
    else:
        _fill_torch(environment.torch.version, new, at.pip, at.options)
    at.meter.fetched(part)
    compile_folder(new, at.meter.tell)
    _write_manifest(environment, part, new, time.monotonic() - began)
    if part.folder.exists():
        rename_folder(part.folder, part.folder.with_name(f"old-{part.folder.name}"))
    rename_folder(new, part.folder)


def _fill_torch(version: str, into: Path, pip: Pip, options: BuildOptions) -> None:
    problem: SetupProblem | None = None
    hashes = default_locks() / "torch.txt"
    attempts = machine.torch_attempts(version, sys.platform, hashes, options.torch_index)
    for attempt in attempts:
        try:
            if attempt.cpu_only:
                _refuse_cuda(pip, attempt, options.torch_index)
            pip.install(into, attempt.arguments, attempt.step)
        except SetupProblem as error:
            logger.info("torch %s, %s: %s", version, attempt.step, error)
            shutil.rmtree(into, ignore_errors=True)
            problem = error
        else:
            return
    if problem is not None:
        raise problem


def _refuse_cuda(pip: Pip, attempt: machine.TorchAttempt, cpu_index: str) -> None:
    if machine.needs_cuda(pip.dependencies_of(attempt.arguments, attempt.step)):
        raise SetupProblem(
            f"PyTorch's CPU builds ({cpu_index}) cannot be reached. Check the network, or"
            " install torch 2.1 or later into this Python."
        )


def _write_manifest(
    environment: Environment, part: EnvironmentPart, folder: Path, seconds: float
) -> None:
    found = [
        path.name.removesuffix(".dist-info").rsplit("-", 1) for path in folder.glob("*.dist-info")
    ]
    content = {
        "python": machine.python_version(),
        "lock": short_key(part.lock.text) if part.lock else None,
        "torch": {"version": environment.torch.version, "reused": environment.torch.reused},
        "packages": {name: version for name, version in sorted(found)},
        "bytes": machine.folder_size(folder),
        "seconds": round(seconds, 1),
        "made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    (folder / MANIFEST).write_text(json.dumps(content, indent=1), encoding="utf-8")


def _check_torch(environment: Environment) -> None:
    if environment.torch.reused:
        return
    front = [str(part.folder) for part in environment.parts]
    code = f"import sys; sys.path[:0] = {front!r}; import torch; torch.zeros(2).sum()"
    done = subprocess.run(
        [sys.executable, "-s", "-B", "-c", code],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode:
        with environment.home.log.open("a", encoding="utf-8") as log:
            log.write(done.stderr)
        for part in environment.parts:
            if part.lock is None:
                (part.folder / MANIFEST).unlink(missing_ok=True)
        raise SetupProblem(
            "The installed torch does not run on this machine. Install torch 2.1 or later"
            f" into this Python. Details: {environment.home.log}"
        )


def _switch(environment: Environment) -> None:
    keys = _others(environment, _manifests(environment.home))
    keys[interpreter_name()] = environment.key
    write_file(environment.home.current, json.dumps(keys))

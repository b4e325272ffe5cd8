"""Takes the private environment away, and says what stays."""

from __future__ import annotations

import argparse
import shutil
import sys

from stylus_ext.environment.data_folder import data_folder, webui_folder
from stylus_ext.environment.engine_link import stop
from stylus_ext.environment.holds import users
from stylus_ext.environment.layout import BUILD_LOCK, MANIFEST, Home, default_home
from stylus_ext.environment.locking import hold
from stylus_ext.environment.problems import SetupProblem
from stylus_ext.environment.sizes import MEGABYTE, folder_size


def run(words: list[str]) -> int:
    """`remove [--data-dir DIR]`; whoever asks for help, or for what there is not, has nothing
    removed.
    """
    parser = argparse.ArgumentParser(
        prog="python install.py remove",
        allow_abbrev=False,
        description=(
            "Stops the engine, deletes the private environment inside this folder, and lists what"
            " stays. Your data is kept."
        ),
    )
    parser.add_argument(
        "--data-dir",
        metavar="DIR",
        help="whose engine to stop (default: STYLUS_DATA_DIR, else your user's data folder)",
    )
    stated = parser.parse_args(words).data_dir
    folders = [data_folder(stated)]
    home = default_home()
    of_webui = None if stated else webui_folder(home.folder.parent)
    if of_webui is not None:
        folders.append(of_webui)
    for data in folders:
        if stop(data):
            sys.stdout.write("The engine was stopped.\n")
    if home.folder.is_dir():
        size = folder_size(home.folder)
        remove_home(home)
        sys.stdout.write(f"Deleted: {home.folder} ({size // MEGABYTE} MB).\n")
    else:
        sys.stdout.write(f"There was no environment in {home.folder}.\n")
    kept = [data for data in folders if data.is_dir()]
    for data in kept:
        megabytes = folder_size(data) / MEGABYTE
        sys.stdout.write(
            f"What stays: your data in {data} ({megabytes:.1f} MB). Delete it yourself if you"
            " want.\n"
        )
    if not kept:
        sys.stdout.write(
            f"Nothing else stays; there is no data folder at {' or '.join(map(str, folders))}.\n"
        )
    return 0


def remove_home(home: Home) -> None:
    """Deletes everything of `.engine`; refuses while a process works with it."""
    with hold(home.folder, BUILD_LOCK, "removing the environment"):
        busy = [who for path in home.folder.glob(f"*/{MANIFEST}") for who in users(path.parent)]
        if busy:
            raise SetupProblem(
                f"The environment is in use by {busy[0]}. Please end that first, then remove again."
            )
        try:
            for path in home.folder.iterdir():
                if path.is_dir():
                    shutil.rmtree(path)
                elif path.name != f"{BUILD_LOCK}.lock":
                    path.unlink()
        except OSError as error:
            raise SetupProblem(
                f"Not everything of {home.folder} could be deleted: {error}. Please end what uses"
                " it and try again."
            ) from error
    shutil.rmtree(home.folder, ignore_errors=True)

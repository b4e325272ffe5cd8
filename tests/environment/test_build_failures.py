"""What stops a build is one sentence, with the details in the log."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from stylus_ext.core.errors import SetupProblem
from stylus_ext.environment.build import BuildOptions, build
from stylus_ext.environment.layout import ROOT
from stylus_ext.environment.progress import read_progress
from tests.environment.wheels import BuildFolder, bare_python, closed_port, options


def test_a_wrong_hash_is_one_sentence(shop: BuildFolder) -> None:
    shop.engine_lock(digest="0" * 64)
    with pytest.raises(
        SetupProblem,
        match=r"stylus-tiny==1\.0.*build\.log",
    ):
        build(shop.plan(), options(shop))
    assert "0" * 64 in shop.home.log.read_text(), "details in the log"
    left = read_progress(shop.home.progress)
    assert left is not None
    assert left.error is not None
    assert "wrong sha256" in left.error


def test_no_network_is_one_sentence(shop: BuildFolder) -> None:
    index = ("--index-url", f"http://127.0.0.1:{closed_port()}/simple", "--retries", "1")
    with pytest.raises(SetupProblem, match="network"):
        build(shop.plan(), BuildOptions(pip_extra=index))


def test_a_full_disk_is_said_before_anything_is_fetched(shop: BuildFolder) -> None:
    shop.engine_lock(megabytes="190 to download, 640 unpacked")
    with pytest.raises(SetupProblem, match="1,086 MB .* 12 MB"):
        build(shop.plan(), options(shop, free_bytes=lambda _: 12_000_000))
    assert not shop.home.log.exists()


def test_a_file_that_no_index_has_is_named(shop: BuildFolder) -> None:
    for path in shop.wheels.glob("stylus_tiny*"):
        path.unlink()
    with pytest.raises(SetupProblem, match=r"stylus-tiny==1\.0"):
        build(shop.plan(), options(shop))


@pytest.mark.skipif(os.name == "nt" or os.getuid() == 0, reason="root may write everywhere")
def test_a_read_only_extension_folder_is_said(shop: BuildFolder) -> None:
    shop.folder.chmod(0o500)
    try:
        with pytest.raises(SetupProblem):
            build(shop.plan(), options(shop))
    finally:
        shop.folder.chmod(0o700)


def test_a_home_that_is_a_file_is_said(shop: BuildFolder) -> None:
    shop.home.folder.write_text("")
    with pytest.raises(SetupProblem):
        build(shop.plan(), options(shop))


def test_a_disk_that_fails_in_the_middle_is_one_sentence(shop: BuildFolder) -> None:
    """The progress file cannot be written: neither the build nor its last word ends in a
    traceback.
    """
    (shop.home.progress / "in the way").mkdir(parents=True)
    with pytest.raises(SetupProblem, match="disk"):
        build(shop.plan(), options(shop))


def test_a_python_without_pip_is_told_what_to_do(shop: BuildFolder, tmp_path: Path) -> None:
    python = bare_python(tmp_path / "venv")
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\nfrom pathlib import Path\nfrom"
        " stylus_ext.environment.build import BuildOptions, build\nfrom"
        " stylus_ext.core.errors import SetupProblem\nfrom tests.environment.wheels"
        f" import BuildFolder\nshop = BuildFolder(Path({str(shop.folder)!r}))\ntry:\n   "
        " build(shop.plan(), BuildOptions(pip_extra=shop.offline))\nexcept SetupProblem as"
        " problem:\n    print(problem)\n"
    )
    done = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True)
    assert "pip" in done.stdout
    assert done.stderr == ""

"""What every downloader keeps to: a file that is there afterwards, once, or a sentence; and a stop
is heard.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path

import pytest

from stylus_ext.core.errors import Cancelled, StylusError
from stylus_ext.core.ports import Downloader
from tests.civitai_service.service import serving
from tests.downloads.workbench import bench_over
from tests.fakes import FolderDownloader, Watch, make_card
from tests.lora_files import LORAS, safetensors_bytes

BODY = safetensors_bytes(LORAS["sd1"], seed=5)


@pytest.fixture(params=["civitai", "fake"])
def downloader(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Downloader]:
    """It has version 11 and no other."""
    with ExitStack() as stack:
        if request.param == "fake":
            (tmp_path / "loras").mkdir()
            yield FolderDownloader(tmp_path / "loras", {11: BODY})
            return
        bench = stack.enter_context(bench_over(stack.enter_context(serving()), tmp_path))
        bench.publish(11, BODY)
        yield bench.downloader


def test_what_was_fetched_is_there_under_the_stem_that_is_told(downloader: Downloader) -> None:
    card = make_card(11, "Rainy Alley")
    fetched = downloader.fetch(card, Watch())
    assert (fetched.key, fetched.new, fetched.size) == (card.key, True, len(BODY))
    assert Path(fetched.path).read_bytes() == BODY
    assert fetched.sha256 == sha256(BODY).hexdigest()
    assert Path(fetched.path).name == f"{fetched.stem}.safetensors"


def test_what_is_there_is_not_fetched_again(downloader: Downloader) -> None:
    first = downloader.fetch(make_card(11), Watch())
    again = downloader.fetch(make_card(11), Watch())
    assert (again.path, again.new, again.size) == (first.path, False, 0)


@pytest.mark.parametrize(
    "make", [lambda: make_card(12), lambda: make_card(13, "Other", remote=None)]
)
def test_what_it_does_not_have_is_a_sentence(
    downloader: Downloader, make: Callable[[], object]
) -> None:
    with pytest.raises(StylusError, match=r"\.$"):
        downloader.fetch(make(), Watch())  # type: ignore[arg-type]


def test_a_stop_leaves_no_file(downloader: Downloader, tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        downloader.fetch(make_card(11), Watch(patience=0))
    assert [
        path for path in (tmp_path / "loras").glob("*.safetensors") if path.read_bytes() == BODY
    ] == []

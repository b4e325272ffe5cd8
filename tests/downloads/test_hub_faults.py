"""The faults of a download, with the hub in place of Civitai."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from stylus_ext.core.errors import StylusError
from tests.catalogue.sources.hugging_face.test_offers import KEY, Bench
from tests.civitai_service.faults import Fault
from tests.downloads.test_faults import BODY, CASES, TOTAL, Case, etagless
from tests.downloads.workbench import sha256
from tests.hub_service.service import serving
from tests.hub_service.shapes import a_repo

FILE, NAME = "/resolve/", "rain-fox.safetensors"


def of_storage(case: Case) -> bool:
    """Whether a case is about the storage alone, which both services have alike."""
    is_plain = not (case.rules or case.stated or case.card) and case.before in (None, etagless)
    return is_plain and bool(case.faults) and all(one.on == "storage" for one in case.faults)


def about(**stated: Any) -> Fault:
    """What the hub says of the file, each time."""
    row = {"path": NAME, "size": TOTAL, "lfs": {"oid": sha256(BODY), "size": TOTAL}, **stated}
    return Fault("paths-info", status=200, body=[row], times=-1)


def redirect(target: str) -> Fault:
    return Fault(FILE, status=302, headers={"Location": target}, times=-1)


@dataclass(frozen=True)
class HubCase:
    """`comes`: whether the file comes nevertheless; None where either is right."""

    name: str
    fault: Fault
    comes: bool | None = False


ODD_ROWS: tuple[Any, ...] = (
    *({}, [], [None], [[]], "<html>later</html>", "", 7, None, {"error": "try later"}),
    *([{"path": "other.safetensors"}], [{"path": NAME}], [{"path": NAME, "lfs": []}]),
)
ODD_SIZES: tuple[Any, ...] = (-1, 0, 1, 2**70, 0.5, "x", None, True, [])
HUB_CASES = (
    *(
        HubCase(f"a redirect to {target}", redirect(target))
        for target in (
            *("javascript:alert(1)", "data:text/plain,x", "mailto:a@b", "file:x", "tel:1"),
            *("http:127.0.0.1", "https:", "http://[::1", "http://127.0.0.1:99999999/"),
        )
    ),
    *(
        HubCase(f"odd facts, {body}", Fault("paths-info", status=200, body=body, times=-1))
        for body in ODD_ROWS
    ),
    *(
        HubCase(f"odd facts once, {body}", Fault("paths-info", status=200, body=body), comes=None)
        for body in ODD_ROWS
    ),
    *(
        HubCase(
            f"a size of {size}", about(size=size, lfs={"oid": sha256(BODY), "size": size}), None
        )
        for size in ODD_SIZES
    ),
    *(
        HubCase(f"a hash of {oid}", about(lfs={"oid": oid, "size": TOTAL}))
        for oid in ("", "x", "a" * 63, "a" * 64, "../" * 21 + "a", 7, None)
    ),
    HubCase("a path that climbs", about(path="../../evil.safetensors")),
    HubCase("scanned as unsafe", about(securityFileStatus={"status": "unsafe"})),
    HubCase("odd words of the scanner", about(securityFileStatus={"status": ["x"]}), comes=True),
    *(
        HubCase(f"{status} for ever at {path}", Fault(path, status=status, times=-1))
        for path in ("paths-info", FILE)
        for status in (400, 401, 403, 404, 408, 410, 418, 429, 451, 500, 503)
    ),
    *(
        HubCase(f"{status} once at {path}", Fault(path, status=status), comes=True)
        for path in ("paths-info", FILE)
        for status in (408, 429, 500, 503)
    ),
    *(
        HubCase(f"no answer at {path}", Fault(path, headless=True, times=-1))
        for path in ("paths-info", FILE)
    ),
    *(
        HubCase(f"no answer twice at {path}", Fault(path, headless=True, times=2), comes=True)
        for path in ("paths-info", FILE)
    ),
    HubCase(
        "a long pause is asked for",
        Fault(FILE, status=429, headers={"Retry-After": "3600"}, times=-1),
    ),
    HubCase(
        "a message in place of the file", Fault(FILE, status=200, body={"a": "b" * 99}, times=-1)
    ),
)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    root, data = tmp_path / "loras", tmp_path / "data"
    root.mkdir()
    data.mkdir()
    (root / "mine.safetensors").write_bytes(b"mine")
    with serving() as service:
        service.add(a_repo(body=BODY))
        yield Bench(service, root, data)


def fetched(bench: Bench, log: pytest.LogCaptureFixture, *faults: Fault) -> str:
    """Fetch under these faults; the message, empty where the file came."""
    log.set_level(logging.DEBUG)
    card = bench.card()
    bench.service.faults.add(*(replace(fault) for fault in faults))
    message = ""
    try:
        assert bench.fetch(card).read_bytes() == BODY
    except StylusError as error:
        message = f"{getattr(error, 'code', '')}: {error}"
        assert message.endswith(".")
        assert not message.endswith("..")
        assert not (bench.root / NAME).exists()
    bench.check(BODY)
    assert not [text for text in (KEY, "X-Amz") if text in log.text + message]
    return message


@pytest.mark.long  # the receiver is the same as for Civitai
@pytest.mark.parametrize(
    "case",
    [case for case in CASES if of_storage(case)],
    ids=lambda case: case.name.replace(" ", "-"),
)
def test_a_fault_of_the_storage_leaves_the_file_or_a_sentence(
    bench: Bench, case: Case, caplog: pytest.LogCaptureFixture
) -> None:
    if case.before is etagless:
        bench.service.etags = False
    faults = [replace(fault, path=r"^/repos/") for fault in case.faults]
    message = fetched(bench, caplog, *faults)
    if case.said:
        assert re.search(case.said, message), message or "the file came"
    else:
        assert not message


@pytest.mark.parametrize("case", HUB_CASES, ids=lambda case: case.name.replace(" ", "-")[:60])
def test_a_fault_of_the_hub_leaves_the_file_or_a_sentence(
    bench: Bench, case: HubCase, caplog: pytest.LogCaptureFixture
) -> None:
    message = fetched(bench, caplog, case.fault)
    if case.comes is not None:
        assert (not message) is case.comes, message or "the file came"


def test_there_are_enough_of_them() -> None:
    assert len(list(filter(of_storage, CASES))) >= 40
    assert len({case.name for case in HUB_CASES}) == len(HUB_CASES) >= 60

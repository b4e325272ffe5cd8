"""What goes wrong on the way, over real sockets: after each fault no wrong file lies under a final
name, nothing of the user's has changed, no key is where it does not belong, and the user has a
sentence.
"""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stylus_ext.core.errors import StylusError
from tests.civitai_service.faults import Fault
from tests.civitai_service.service import serving
from tests.civitai_service.shapes import hashes_of
from tests.downloads.workbench import KEY, Bench, bench_over, lora_bytes, sha256
from tests.lora_files import LORAS, safetensors_bytes

BODY = lora_bytes(11)
OTHER = lora_bytes(12)
LARGER = safetensors_bytes(LORAS["sdxl"])
TOTAL = len(BODY)
PAGE = b"<!DOCTYPE html><html><head><title>Log in</title></head>" + b"x" * TOTAL
FILE, API, MINI, VERSION = r"^/bucket/", r"^/api/download", r"/mini/", r"/model-versions/\d+$"


@dataclass(frozen=True)
class Case:
    """`faults` befall a download, `before` prepares; `said` is what the error says, empty where the
    file comes nevertheless.
    """

    name: str
    faults: tuple[Fault, ...] = ()
    said: str = ""
    before: Callable[[Bench], object] | None = None
    rules: tuple[tuple[str, Any], ...] = ()
    stated: tuple[tuple[str, Any], ...] = ()
    card: tuple[tuple[str, Any], ...] = ()


def storage(**named: Any) -> Fault:
    return Fault(FILE, on="storage", **named)


def flipped(body: bytes) -> bytes:
    return body[:-1] + bytes([body[-1] ^ 1])


def rule(name: str) -> Callable[[Bench], object]:
    return lambda bench: bench.civitai.rules.update({11: name})


def without_key(bench: Bench) -> None:
    bench.civitai.keys.clear()
    bench.civitai.rules[11] = "login"


def version(**changes: Any) -> Callable[[Bench], object]:
    return lambda bench: bench.civitai.models[0]["modelVersions"][0].update(changes)


def taken(*names: str) -> Callable[[Bench], object]:
    def write(bench: Bench) -> None:
        for name in names:
            (bench.root / name).write_bytes(b"the user's")
            bench.users[name] = b"the user's"

    return write


def etagless(bench: Bench) -> None:
    bench.civitai.etags = False


def full_disk(bench: Bench) -> None:
    bench.downloader.budget.keep_free = shutil.disk_usage(bench.root).total


CASES = (
    Case("nothing at all"),
    # connections
    *(
        Case(f"reset at byte {at}", (storage(cut_at=at),))
        for at in (0, 1, 7, 8, 9, 100, 5000, TOTAL - 1)
    ),
    *(Case(f"ended at byte {at}", (storage(end_at=at),)) for at in (0, 5, 8, 5000, TOTAL - 1)),
    Case("ended early without a stated length", (storage(end_at=9000, chunked=True),)),
    Case("no stated length", (storage(chunked=True),)),
    Case(
        "reset again and again, a little further each time",
        tuple(storage(cut_at=at) for at in (3000, 5000, 4000, 2000, 1000)),
    ),
    Case("reset without a byte more, for ever", (storage(cut_at=0, times=-1),), "broke off"),
    Case("no answer from the storage, twice", (storage(headless=True, times=2),)),
    Case("no answer from the API, twice", (Fault(API, headless=True, times=2),)),
    Case(
        "no answer from anybody",
        (Fault("", headless=True, times=-1),),
        "broke off|cannot be reached",
    ),
    Case("silence in the middle", (storage(stall_at=5000),)),
    Case("silence for ever", (storage(stall_at=0, times=-1),), "did not answer in time"),
    Case("a length that is too long", (storage(length=TOTAL + 500),)),
    Case("a length that is always too long", (storage(length=TOTAL + 500, times=-1),)),
    Case(
        "a length that is too short, always",
        (storage(length=TOTAL - 500, times=-1),),
        "SHA256|damaged|broke",
    ),
    # ranges
    Case("200 where 206 was asked for", (storage(cut_at=5000), storage(whole=True))),
    Case(
        "200 where 206 was asked for, and a break each time",
        tuple(storage(whole=True, cut_at=1000 * number) for number in range(1, 9)),
        "unsteady",
    ),
    Case(
        "200 without an ETag where 206 was asked for",
        (storage(cut_at=5000), storage(whole=True)),
        before=etagless,
    ),
    Case(
        "another ETag at the second try",
        (storage(cut_at=5000), storage(headers={"ETag": '"another"'})),
    ),
    Case("no ETag at all", (storage(cut_at=5000),), before=etagless),
    Case(
        "206 from another byte",
        (storage(cut_at=5000), storage(headers={"Content-Range": f"bytes 0-{TOTAL - 1}/{TOTAL}"})),
    ),
    Case(
        "206 of another size",
        (storage(cut_at=5000), storage(headers={"Content-Range": "bytes 5000-9999/10000"})),
        before=etagless,
    ),
    Case(
        "206 without Content-Range", (storage(cut_at=5000), storage(headers={"Content-Range": ""}))
    ),
    Case("206 though all was asked for", (storage(status=206, body=BODY[100:]),), "a part of"),
    Case("416 at the second try", (storage(cut_at=5000), storage(status=416))),
    Case("a rest that is damaged", (storage(cut_at=5000), storage(alter=flipped))),
    # what comes
    Case("a web page", (storage(alter=lambda _: PAGE, times=-1),), "web_page"),
    Case(
        "a web page for a browser",
        (Fault(API, status=200, body=PAGE, headers={"Content-Type": "text/html"}, times=-1),),
        "web_page",
    ),
    Case(
        "a message in JSON",
        (Fault(API, status=200, body={"error": "x" * 100}, times=-1),),
        "not_a_file",
    ),
    Case(
        "nothing",
        (storage(alter=lambda _: b"", times=-1),),
        "ended before|SHA256|only 0 bytes|broke",
    ),
    Case("three bytes", (storage(alter=lambda _: b"abc", times=-1),), "only 3 bytes"),
    Case("eight bytes", (storage(alter=lambda _: b"\x08" + b"\0" * 7, times=-1),), "only 8 bytes"),
    Case("zeros", (storage(alter=lambda body: bytes(len(body)), times=-1),), "no_safetensors"),
    Case(
        "an archive",
        (storage(alter=lambda body: b"PK\x03\x04" + body[4:], times=-1),),
        "no_safetensors",
    ),
    Case(
        "a pickle",
        (storage(alter=lambda body: b"\x80\x02}q\x00" + body[5:], times=-1),),
        "no_safetensors",
    ),
    Case(
        "a header that lies about its length",
        (storage(alter=lambda body: b"\xff" * 8 + body[8:], times=-1),),
        "no_safetensors",
    ),
    Case(
        "half of it, whole by its length",
        (storage(alter=lambda body: body[: TOTAL // 2], times=-1),),
        "damaged",
    ),
    Case("a flipped bit", (storage(alter=flipped, times=-1),), "SHA256"),
    Case("another file", (storage(alter=lambda _: OTHER, times=-1),), "SHA256"),
    Case("more than it is", (storage(alter=lambda body: body + b"more", times=-1),), "damaged"),
    Case("packed", (storage(headers={"Content-Encoding": "gzip"}, times=-1),), "compressed"),
    Case(
        "a file that was replaced, of which the hash is known by now",
        (
            Fault(
                MINI,
                status=200,
                body={
                    "size": TOTAL / 1024,
                    "hashes": hashes_of(OTHER),
                    "fileName": "a.safetensors",
                },
            ),
        ),
    ),
    Case(
        "a file of which the hash is always another",
        stated=(("hashes", hashes_of(OTHER)),),
        said="SHA256",
    ),
    Case("a hash in lower case", stated=(("hashes", {"SHA256": sha256(BODY)}),)),
    # the storage's own no
    *(
        Case(f"the storage says {status} once", (storage(status=status),))
        for status in (400, 403, 404)
    ),
    *(
        Case(
            f"the storage says {status} for ever",
            (storage(status=status, times=-1),),
            f"storage: .* status {status}",
        )
        for status in (400, 403)
    ),
    Case("the storage says 503 twice", (storage(status=503, times=2),)),
    Case(
        "no redirect's end",
        (Fault(API, status=302, headers={"Location": "/api/download/models/11"}, times=-1),),
        "redirects too often",
    ),
    Case(
        "a redirect to nowhere",
        (Fault(API, status=307, headers={"Location": "file:///etc/passwd"}, times=-1),),
        "redirects",
    ),
    *(
        Case(
            f"a redirect to {target}",
            (Fault(API, status=302, headers={"Location": target}, times=-1),),
            "redirects",
        )
        for target in (
            *("javascript:alert(1)", "data:text/plain,x", "mailto:a@b", "file:x", "tel:1"),
            *("http:127.0.0.1", "https:", "http://[::1", "http://127.0.0.1:99999999/"),
        )
    ),
    # Civitai's no, each with a sentence of its own
    Case("login needed", before=without_key, said="refuses your key"),
    Case("downloads disabled", before=rule("disabled"), said="has disabled downloads"),
    Case("early access", before=rule("early"), said="early access until 2099"),
    Case(
        "early access that is told before",
        before=version(earlyAccessEndsAt="2099-01-01T00:00:00Z"),
        said="early access until 2099",
    ),
    Case("archived", before=rule("archived"), said="archived on Civitai"),
    Case("missing", before=rule("missing"), said="does not have"),
    Case(
        "missing altogether",
        before=lambda bench: bench.civitai.models.clear(),
        said="does not have version 11",
    ),
    Case("too many", before=rule("limit"), said="too many requests"),
    Case("blacklisted", before=rule("blacklist"), said="forbids"),
    Case("not in this region", (Fault(API, status=451, times=-1),), "region"),
    Case("429 with Retry-After", (Fault(API, status=429, headers={"Retry-After": "1"}),)),
    Case(
        "429 with a long Retry-After",
        (Fault(API, status=429, headers={"Retry-After": "3600"}, times=-1),),
        "in 60 min",
    ),
    Case("429 without Retry-After", (Fault(API, status=429, times=2),)),
    Case("500 for ever", (Fault(API, status=500, times=-1),), "has a problem"),
    Case(
        "the API answers with a page",
        (Fault(MINI, status=200, body=PAGE, times=-1),),
        "web page in place of data",
    ),
    # what is stated
    Case("not sound", stated=(("virusScanResult", "Danger"),), said="scanners"),
    Case("not sound as a pickle", stated=(("pickleScanResult", "Danger"),), said="scanners"),
    Case("not scanned yet", stated=(("pickleScanResult", "Pending"),), said="scanners"),
    Case("no hashes", stated=(("hashes", {}),), said="no source states a hash"),
    Case("no hashes, and that is allowed", stated=(("hashes", {}),), rules=(("unhashed", True),)),
    Case(
        "no hashes, and another size",
        (storage(alter=lambda _: LARGER, times=-1),),
        "wrong_size",
        stated=(("hashes", {}),),
        rules=(("unhashed", True),),
    ),
    Case("larger than allowed", rules=(("largest", 1000),), said="--largest-mb"),
    Case(
        "larger than stated",
        stated=(("sizeKB", 1.0),),
        said="wrong_size",
    ),
    Case(
        "larger than stated, without a length",
        (storage(chunked=True),),
        "wrong_size",
        stated=(("sizeKB", 1.0),),
    ),
    Case(
        "much larger than stated, without a length",
        (storage(chunked=True, alter=lambda body: body + bytes(30 * 2**20), times=-1),),
        "wrong_size",
    ),
    Case("beyond the quota", rules=(("quota", 20_000),), said="--quota-gb"),
    Case("a full disk", before=full_disk, said="--keep-free-gb"),
    # names
    Case("a name that climbs", card=(("file", "../../evil.safetensors"),)),
    Case("a name with a drive", card=(("file", "C:\\Windows\\evil.safetensors"),)),
    Case("a name of a device", card=(("file", "con.safetensors"),)),
    Case("a name of tags", card=(("file", "<lora:x:1>.safetensors"),)),
    Case("a name of nothing", card=(("file", ""), ("name", "\u202e/.."))),
    Case("a name of nine hundred letters", card=(("file", "\u00e9" * 900 + ".safetensors"),)),
    Case(
        "a hostile Content-Disposition",
        (
            storage(
                headers={"Content-Disposition": 'attachment; filename="../../evil.safetensors"'}
            ),
        ),
    ),
    Case("a name that is taken", before=taken("rain_11.safetensors")),
    Case("a name that is taken in other letters", before=taken("RAIN_11.safetensors")),
    Case("a name that is taken by another kind of file", before=taken("rain_11.pt")),
    Case(
        "a link that hangs where the file would lie",
        before=lambda bench: (bench.root / "rain_11.safetensors").symlink_to("/nowhere/at/all"),
    ),
)


def test_there_are_enough_of_them() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 60


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_a_fault_leaves_the_file_or_a_sentence_and_nothing_else(
    case: Case, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with serving() as civitai, bench_over(civitai, tmp_path, **dict(case.rules)) as bench:
        bench.publish(11, BODY, **dict(case.stated))
        if case.before:
            case.before(bench)
        civitai.faults.add(*case.faults)
        said = ""
        try:
            fetched = bench.fetch(11, **dict(case.card))
            assert fetched.sha256 == sha256(BODY)
            assert Path(fetched.path).read_bytes() == BODY
            assert Path(fetched.path).parent == bench.root
        except StylusError as error:
            said = f"{getattr(error, 'code', '')}: {error}"
        _judge(case, bench, said)
        assert KEY not in caplog.text + said
        assert "X-Amz" not in caplog.text + said


def _judge(case: Case, bench: Bench, said: str) -> None:
    if case.said:
        assert re.search(case.said, said), said or "the file came"
        assert said.endswith(".")
        assert bench.loras() == {}
    else:
        assert not said, said
        assert len(bench.loras()) == 1
        assert not [name for name in bench.files() if ".part" in name], (
            "what was finished leaves no part"
        )
    bench.check(BODY)
    assert not any(
        "authorization" in seen.headers for seen in bench.civitai.seen if seen.on == "storage"
    )

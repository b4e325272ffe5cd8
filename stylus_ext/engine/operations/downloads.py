"""The operation that fetches files, and what a plan may fetch: a checked payload goes in; files,
and sentences for the others, come out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from stylus_ext.core.card import AdapterKey
from stylus_ext.core.entry import Entry
from stylus_ext.core.errors import InvalidInput, Note
from stylus_ext.core.fetching import FetchPolicy
from stylus_ext.core.ports import Filter, Progress

if TYPE_CHECKING:
    from stylus_ext.engine.stylus import Stylus


_MOST = 100_000
OFF = (
    'Downloads are off. Switch them on with --download, in settings.json ({"downloads":'
    ' {"download": true}}) or on the WebUI\'s settings page.'
)


def fetch(stylus: Stylus, request: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Reads the folders before, so that what the user has already is known, and afterwards, so that
    the next plan knows the new.
    """
    entries = list({entry.key: entry for entry in map(stylus.entry, request["keys"])}.values())
    if request["dry_run"]:
        stylus.folders(request["lora_dirs"])
        off = [] if stylus.downloads.on else [Note("downloads_off", OFF)]
        return _answer(stylus, would=[_would(stylus, entry) for entry in entries], notes=off)
    if not stylus.downloads.on:
        raise InvalidInput(OFF)
    if not request["lora_dirs"]:
        raise InvalidInput(
            "Say into which folder files are to be fetched, such as models/Lora: --lora-dir, or"
            " 'lora_dirs'."
        )
    folders = stylus.folders(request["lora_dirs"])
    stylus.index_folders(folders, progress)
    report = stylus.fetch(entries, folders, progress)
    for one in report.fetched:
        if not one.new:  # the user had it under another name, and nobody had hashed it yet
            stylus.hash_files.know(one.path, one.sha256)
    notes = list(stylus.index_folders(folders, progress).notes) if report.fetched else []
    return _answer(stylus, report.fetched, report.failed, notes=[*stylus.news(), *notes])


def discard(stylus: Stylus, request: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Only what was fetched, long ago unused, and not marked `always`; the catalogue forgets the
    files, not the adapters.
    """
    favourites = _ours(
        stylus,
        {
            entry.key
            for entry in stylus.store.search(
                "", Filter(state="always", on_disk=True), limit=_MOST
            ).entries
        },
    )
    only = (
        None
        if request["keys"] is None
        else _ours(stylus, {stylus.entry(key).key for key in request["keys"]})
    )
    found = stylus.downloads.discard(
        favourites,
        request["days"],
        lambda: progress.report("Deleting", 0),
        dry_run=request["dry_run"],
        only=only,
    )
    gone = [one for one in found if not one.why_not]
    if not request["dry_run"] and gone:
        with stylus.changing:
            stylus.refresh.forget([one.path for one in gone])
    return {
        "discarded": [asdict(one) for one in gone],
        "kept": [asdict(one) for one in found if one.why_not],
        "used": stylus.downloads.ledger.total(),
        "left": stylus.downloads.caps().left,
    }


def note_use(stylus: Stylus, keys: Iterable[AdapterKey]) -> None:
    """What a plan has picked is in use."""
    stylus.downloads.note_use(keys, lambda fresh: _ours(stylus, fresh))


def reach_of(stylus: Stylus, request: Mapping[str, Any]) -> tuple[FetchPolicy | None, list[Note]]:
    """What the plan may pick that is not on disk; `without` says that fetching is over, and what
    did not come.
    """
    if not request["downloads"]:
        return None, []
    if not stylus.downloads.on:
        return None, [Note("downloads_off", f"Only LoRAs on disk were considered. {OFF}")]
    if request["inventory"] is not None or not request["lora_dirs"]:
        return None, [
            Note(
                "downloads_off",
                "Only LoRAs on disk were considered: this engine does not see the folder to fetch"
                " into.",
            )
        ]
    if request["without"] is None:
        return FetchPolicy(stylus.downloads.caps()), []
    failed = frozenset(AdapterKey.parse(one["key"]) for one in request["without"])
    return FetchPolicy(None, failed), [
        Note("not_fetched", one["text"]) for one in request["without"]
    ]


def leaves(stylus: Stylus) -> list[str]:
    """What a command sends when the user gives it."""
    if not stylus.downloads.on:
        return []
    there = " or ".join(one.told_of_files() for one in (stylus.civitai, stylus.hugging_face))
    return [
        "`fetch`, and a plan that you let fetch: the numbers or names of the adapters that are"
        f" fetched, to where they are, {there}"
    ]


def _ours(stylus: Stylus, keys: Collection[AdapterKey]) -> set[str]:
    """As the ledger calls them: since a file was fetched, its entry may have become one with
    another, whose name both have now.
    """
    own = {AdapterKey.parse(one.key) for one in stylus.downloads.ledger.own()}
    homes = stylus.store.resolve(own)
    return {str(key) for key in own if homes.get(key, key) in keys}


def _would(stylus: Stylus, entry: Entry) -> dict[str, Any]:
    """Nothing is asked of anybody for this."""
    remote = entry.card.remote
    why = "it is on disk already" if entry.files else stylus.downloads.caps().why_not(remote)
    return {
        "key": str(entry.key),
        "name": entry.card.name,
        "file": remote.name if remote else "",
        "size": remote.size if remote else 0,
        "sha256": remote.sha256 if remote else None,
        "why_not": why,
    }


def _answer(
    stylus: Stylus,
    fetched: Sequence[Any] = (),
    failed: Sequence[Any] = (),
    would: Sequence[dict[str, Any]] = (),
    notes: Sequence[Note] = (),
) -> dict[str, Any]:
    caps = stylus.downloads.caps()
    return {
        "fetched": [{**asdict(one), "key": str(one.key)} for one in fetched],
        "failed": [{**asdict(one), "key": str(one.key)} for one in failed],
        "would": list(would),
        "used": stylus.downloads.ledger.total(),
        "left": caps.left,
        "notes": [asdict(note) for note in notes],
    }

"""Plans that may fetch: the prompts of a generation go in; once what they lack lies on disk, how
each of them is asked comes out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from stylus_ext.core.errors import Note
from stylus_ext.core.plan import MissingFile, Plan
from stylus_ext.host import compat, compat_downloads
from stylus_ext.host.fetching import Came
from stylus_ext.host.inquiry import Inquiry
from stylus_ext.host.rewrite import Ask, Job, Pair

WITHOUT = "stylus_without"


@dataclass(frozen=True, slots=True)
class Reaching:
    """All prompts are asked first, so that what several of them lack is fetched once, and several
    files at a time.
    """

    inquiry: Inquiry
    job: Job

    def completed(self) -> tuple[Ask, list[Note]]:
        wide = replace(self.inquiry, downloads=True)
        plans = {
            pair: wide.ask(pair, self.job.starts(numbers))
            for pair, numbers in self.job.questions().items()
        }
        missing = {str(file.key): file for plan in plans.values() for file in plan.missing}
        without = _without(self.inquiry.p)
        wanted = [file for key, file in missing.items() if key not in without]
        came = self._fetched(wanted) if wanted else Came()
        without |= {**came.failed, **_unlisted(came.stems)}
        stopped = {key: text for key, text in without.items() if key in missing}
        narrow = replace(wide, stems=compat.listed_stems(), without=stopped)
        there = {pair: plan for pair, plan in plans.items() if not plan.missing}
        return _ask(there, narrow), [Note("fetched", text) for text in came.told]

    def _fetched(self, files: Sequence[MissingFile]) -> Came:
        came = self.inquiry.desk.downloads.fetch(files, compat.lora_folders())
        compat_downloads.list_anew(came.stems.values())
        return came


def _ask(there: Mapping[Pair, Plan], narrow: Inquiry) -> Ask:
    def ask(pair: Pair, seeds: Sequence[int]) -> Plan:
        return there[pair] if pair in there else narrow.ask(pair, seeds)

    return ask


def _unlisted(stems: Mapping[str, str]) -> dict[str, str]:
    """The user may have had a file for long, in a folder into which this host does not look, or
    under a name that stands for another.
    """
    listed = set(compat.listed_stems())
    return {
        key: f"{stem} is on disk, but the WebUI does not list it among its LoRAs."
        for key, stem in stems.items()
        if stem not in listed
    }


def _without(p: Any) -> dict[str, str]:
    """What did not come for an earlier cell of the same grid is not tried again for each of the
    others.
    """
    known: dict[str, str] | None = getattr(p, WITHOUT, None)
    return {} if known is None else known

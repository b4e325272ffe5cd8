"""Files on disk in, whose a name is out: in a tag as the host reads it, in an infotext also by the
hash that stands beside it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from stylus_ext.core.card import AUTO_V3, AdapterKey

_NEVER_ALIASES = frozenset(("none",))
"""What the host takes for a file's name alone."""


@dataclass(frozen=True, slots=True)
class Called:
    """What one file on disk may be called; `alias` and `auto_v3` are empty where nothing states
    them.
    """

    key: AdapterKey
    stem: str
    alias: str = ""
    auto_v3: str = ""


@dataclass(frozen=True, slots=True)
class Names:
    """Whose is which name: of the aliases only those that the host understands, which are one
    file's alone.
    """

    stems: Mapping[str, AdapterKey] = field(default_factory=dict)
    aliases: Mapping[str, AdapterKey] = field(default_factory=dict)
    hashes: Mapping[str, AdapterKey] = field(default_factory=dict)

    @classmethod
    def of(cls, files: Iterable[Called]) -> Names:
        """Of two files with one stem, or one hash, the first counts."""
        known = list(files)[::-1]
        stems = {file.stem: file.key for file in known}
        counted = Counter(name for file in known for name in {file.stem, file.alias or file.stem})
        # The host compares what it forbids in lower case, and everything else letter by letter.
        forbidden = _NEVER_ALIASES | {name.lower() for name, count in counted.items() if count > 1}
        return cls(
            stems,
            {
                file.alias: file.key
                for file in known
                if file.alias and file.alias.lower() not in forbidden
            },
            {file.auto_v3: file.key for file in known if file.auto_v3},
        )

    def called_by(self, host: Mapping[AdapterKey, str]) -> Names:
        """Where a host elsewhere has other names for its files, those count."""
        return replace(self, stems={**self.stems, **{stem: key for key, stem in host.items()}})

    def key(self, name: str, auto_v3: str = "") -> AdapterKey | None:
        """Whose it is by its stem, else by its alias, else by the hash, of which others may know
        more characters.
        """
        return (
            self.stems.get(name)
            or self.aliases.get(name)
            or self.hashes.get(auto_v3[:AUTO_V3].lower())
        )


NO_NAMES = Names()

"""Names: file stems that the host can read in a tag, and safe stems for downloaded files."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import count

from stylus_ext.core.card import AUTO_V3, AdapterKey

LONGEST_STEM = (
    120  # bytes of UTF-8: leaves room for ".safetensors", side files and a deep folder on Windows
)
FALLBACK_STEM = "lora"

_RESERVED = frozenset(
    ("con", "prn", "aux", "nul", "conin$", "conout$")
    + tuple(
        f"{port}{number}" for port in ("com", "lpt") for number in "0123456789\u00b9\u00b2\u00b3"
    )
)
_PATH_OR_SYNTAX = re.compile(r"[<>:\"/\\|?*#=,{}$%']")
_CONTROLS = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
_UNSPEAKABLE = frozenset(("Cc", "Cs", "Zl", "Zp"))
_HOST_SYNTAX = re.compile(r"[<>:#]")
_SAYS_NOTHING = frozenset(
    "lora locon lycoris dora adapter model weights file download pytorch safetensors untitled"
    " output final last v v1 v2 v3 learned embed embeds embedding embeddings".split()
)
_NOISE = re.compile(
    r"(?:(?<![A-Za-z])(?:high|low|HIGH|LOW)|(?<![A-Z])(?:High|Low))(?=(?i:noise)|(?![a-z]))"
)
_EATEN = re.compile(r"__|[{}|]|\$\$")


def why_not(stem: str, *, dynamic_prompts: bool = False) -> str | None:
    """Return why the host cannot read a stem in a tag, or None.

    `dynamic_prompts` also refuses what the Dynamic Prompts extension would parse.
    """
    reason = _unreadable(stem)
    if reason is None and dynamic_prompts:
        eaten = _EATEN.search(stem)
        if eaten is not None:
            reason = f"Dynamic Prompts would take the {eaten.group()!r} in it for its own syntax"
    if reason is None:
        return None
    shown = stem.encode("unicode_escape").decode("ascii") if not stem.isprintable() else stem
    return f'The file name "{shown}" cannot be used in a prompt, because {reason}; rename the file.'


def safe_file_stem(name: str, taken: Collection[str], limit: int = LONGEST_STEM) -> str:
    """Return a stem valid everywhere; it differs from `taken` by more than case or accents."""
    base = _within(_cleaned(name), limit) or FALLBACK_STEM[:limit]
    used = {_same(stem) for stem in taken}
    if _same(base) not in used:
        return base
    numbered = (
        _within(base, limit - len(suffix)) + suffix
        for suffix in (f"-{number}" for number in count(2))
    )
    return next(stem for stem in numbered if _same(stem) not in used)


def stem_for(file: str, title: str, taken: Collection[str]) -> str:
    """Return the stem for a download: the source's file name, or the title if that is generic."""
    stem = re.sub(r"(?i)\.safetensors$", "", file)
    return safe_file_stem(title if is_generic_name(stem) else stem, taken)


def is_generic_name(stem: str) -> bool:
    """True for generic names such as "pytorch_lora_weights" or "v2"."""
    return all(
        word in _SAYS_NOTHING or word.isdecimal()
        for word in re.findall(r"[^\W_]+", stem.casefold())
    )


def _unreadable(stem: str) -> str | None:
    if not stem:
        return "it is empty"
    if stem != stem.strip():
        return "it begins or ends with a space"
    if any(unicodedata.category(character) in _UNSPEAKABLE for character in stem):
        return "it has a control character or an undecodable byte in it"
    found = _HOST_SYNTAX.search(stem)
    if found is not None:
        return f'"{found.group()}" means something else there'
    if stem.count("=") == 1:
        return 'the WebUI reads what has one "=" in it as a setting, not as a name'
    return None


def _cleaned(name: str) -> str:
    text = unicodedata.normalize("NFC", name)
    text = "".join(
        " " if unicodedata.category(character) in _CONTROLS else character for character in text
    )
    text = _PATH_OR_SYNTAX.sub("_", text)
    text = re.sub(r"_{2,}", "_", re.sub(r"\s+", " ", unicodedata.normalize("NFC", text))).strip(
        " ._"
    )
    device, dot, rest = text.partition(".")
    # Windows takes "con.anything" for the console, whatever follows the dot.
    return f"{device.rstrip()}-{dot}{rest}" if device.rstrip().casefold() in _RESERVED else text


def _within(stem: str, limit: int) -> str:
    """Cut to `limit` bytes at a character boundary and clean the end."""
    return stem.encode("utf-8")[: max(limit, 0)].decode("utf-8", "ignore").rstrip(" ._")


def _same(stem: str) -> str:
    """Normal form under which Windows and macOS treat names as equal."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", stem).casefold())


_NEVER_ALIASES = frozenset(("none",))
"""What the host takes for a file's name alone."""


@dataclass(frozen=True, slots=True)
class FileNames:
    """All names of one file on disk; empty `alias` and `auto_v3` are unknown."""

    key: AdapterKey
    stem: str
    alias: str = ""
    auto_v3: str = ""


@dataclass(frozen=True, slots=True)
class TagNames:
    """Maps names in tags to adapters; only unambiguous aliases count."""

    stems: Mapping[str, AdapterKey] = field(default_factory=dict)
    aliases: Mapping[str, AdapterKey] = field(default_factory=dict)
    hashes: Mapping[str, AdapterKey] = field(default_factory=dict)

    @classmethod
    def of(cls, files: Iterable[FileNames]) -> TagNames:
        """Build the map; the first file wins a shared stem or hash."""
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

    def called_by(self, host: Mapping[AdapterKey, str]) -> TagNames:
        """Return the map with the names that a remote host uses for its files."""
        return replace(self, stems={**self.stems, **{stem: key for key, stem in host.items()}})

    def key(self, name: str, auto_v3: str = "") -> AdapterKey | None:
        """Find an adapter by stem, else alias, else hash prefix."""
        return (
            self.stems.get(name)
            or self.aliases.get(name)
            or self.hashes.get(auto_v3[:AUTO_V3].lower())
        )


NO_TAG_NAMES = TagNames()


def noise_half(stem: str) -> str:
    """ "high" or "low" for a file of Wan 2.2 that is named after one, else empty."""
    found = _NOISE.findall(stem)
    return found[0].lower() if len(found) == 1 else ""


def noise_pairs(stems: Iterable[str]) -> dict[str, str]:
    """Low halves by high half: Wan 2.2 has one model for the first steps and one for the last, and
    its LoRAs come as a file for each.
    """
    halves = {stem: half for stem in stems if (half := noise_half(stem))}
    low = {_NOISE.sub("", stem).casefold(): stem for stem in halves if halves[stem] == "low"}
    high = {stem: _NOISE.sub("", stem).casefold() for stem in halves if halves[stem] == "high"}
    return {stem: low[rest] for stem, rest in high.items() if rest in low}

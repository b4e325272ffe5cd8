"""A repository's README: its front matter, its text about the LoRA, and its trigger words."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stylus_ext.catalogue.sources.common import Json
from stylus_ext.net.values import LONGEST_TEXT, table

_MAX_FRONT_MATTER = 100_000
_MAX_EVENTS, _MAX_DEPTH = 20_000, 40
_FRONT_MATTER = re.compile(r"\A\ufeff?---[ \t]*\r?\n(.*?)^---[ \t\r]*$", re.DOTALL | re.MULTILINE)
_FENCE = re.compile(r"[ ]{0,3}(```|~~~)")
_COMMENT = re.compile(r"<!--.{0,8000}?-->", re.DOTALL)
_IMAGE = re.compile(
    r"!\[[^\]\n]{0,500}\]\([^)\n]{0,1000}\)|<img\b[^<>]{0,2000}>|<Gallery\s*/?>(?:\s*</Gallery>)?",
    re.IGNORECASE,
)
_HEADING = re.compile(r"^\s{0,3}(#{1,6})\s+(.*?)[#\s]*$")
_OTHER_TOPIC = re.compile(
    r"(?i)\b(?:use it with|usage|how to"
    r" use|inference|diffusers|comfyui|download|install|training|trainer|dataset|licen[cs]e|citation|bibtex|contact|"  # noqa: E501
    r"acknowledg\w*|out-of-scope|bias|limitations?|evaluation|environmental|compute|hardware|framework|trigger"
    r" words?|more information|credits?|"
    r"support(?: me)?|disclaimer|examples?|gallery|samples?)\b"
)
_TRIGGER = re.compile(
    r"(?i)\b(?:you should use|use|trigger(?: word)?s?(?: is| are)?:?)\s+`([^`\n]{1,200})`"
)


def split_readme(readme: str) -> tuple[Json, str]:
    """The front matter as plain data, and the rest."""
    found = _FRONT_MATTER.match(readme)
    if found is None:
        return {}, readme
    return _parse_front_matter(found[1]), readme[found.end() :]


def trigger_in(body: str) -> str:
    """The trigger words in the sentence of the hub's template."""
    found = _TRIGGER.search(body[:LONGEST_TEXT])
    return found[1].strip() if found else ""


def describe(body: str) -> str:
    """The text without code, images and tables, and without sections about other topics."""
    text = _IMAGE.sub("", _COMMENT.sub("", body[: 3 * LONGEST_TEXT]))
    return "\n".join(_relevant_lines(text)).strip()[:LONGEST_TEXT]


def _relevant_lines(text: str) -> Iterator[str]:
    skipped_level, fence = 0, ""
    for line in text.splitlines():
        fenced = _FENCE.match(line)
        if fenced is not None and fence in ("", fenced[1]):
            fence = "" if fence else fenced[1]
            continue
        if fence:
            continue
        heading = _HEADING.match(line)
        if heading is not None:
            level = len(heading[1])
            if not skipped_level or level <= skipped_level:
                skipped_level = level if _OTHER_TOPIC.search(heading[2]) else 0
        if not skipped_level and not line.lstrip().startswith("|"):
            yield line.lstrip("> ") if line.lstrip().startswith(">") else line


def _parse_front_matter(text: str) -> Json:
    """YAML with plain data only; large, deep or aliased documents state nothing.

    Aliases may expand to any size, so the events are checked first. `huggingface_hub.ModelCard`
    does not check them.
    """
    import yaml

    if len(text) > _MAX_FRONT_MATTER:
        return {}
    depth = 0
    try:
        for number, event in enumerate(yaml.parse(text, Loader=yaml.SafeLoader)):
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if isinstance(event, yaml.AliasEvent) or depth > _MAX_DEPTH or number > _MAX_EVENTS:
                return {}
        return table(yaml.safe_load(text))
    except (yaml.YAMLError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return {}

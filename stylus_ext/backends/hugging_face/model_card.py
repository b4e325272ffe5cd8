"""A repository's README: text with a head in YAML goes in; what the head states, and the body
without what describes nothing, come out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from stylus_ext.backends.statements.values import LONGEST_TEXT, table

_LONGEST_HEAD = 100_000
_MOST_EVENTS, _DEEPEST = 20_000, 40
_HEAD = re.compile(r"\A\ufeff?---[ \t]*\r?\n(.*?)^---[ \t\r]*$", re.DOTALL | re.MULTILINE)
_FENCE = re.compile(r"[ ]{0,3}(```|~~~)")
_COMMENT = re.compile(r"<!--.{0,8000}?-->", re.DOTALL)
_PICTURE = re.compile(
    r"!\[[^\]\n]{0,500}\]\([^)\n]{0,1000}\)|<img\b[^<>]{0,2000}>|<Gallery\s*/?>(?:\s*</Gallery>)?",
    re.IGNORECASE,
)
_HEADING = re.compile(r"^\s{0,3}(#{1,6})\s+(.*?)[#\s]*$")
_NOT_ABOUT_IT = re.compile(
    r"(?i)\b(?:use it with|usage|how to"
    r" use|inference|diffusers|comfyui|download|install|training|trainer|dataset|licen[cs]e|citation|bibtex|contact|"  # noqa: E501
    r"acknowledg\w*|out-of-scope|bias|limitations?|evaluation|environmental|compute|hardware|framework|trigger"
    r" words?|more information|credits?|"
    r"support(?: me)?|disclaimer|examples?|gallery|samples?)\b"
)
_TRIGGER = re.compile(
    r"(?i)\b(?:you should use|use|trigger(?: word)?s?(?: is| are)?:?)\s+`([^`\n]{1,200})`"
)


def parted(readme: str) -> tuple[Mapping[str, object], str]:
    """What its head states, and the rest."""
    found = _HEAD.match(readme)
    if found is None:
        return {}, readme
    return _stated(found[1]), readme[found.end() :]


def trigger_in(body: str) -> str:
    """The words that the hub's own template tells to use, as it writes them."""
    found = _TRIGGER.search(body[:LONGEST_TEXT])
    return found[1].strip() if found else ""


def about(body: str) -> str:
    """Without code, pictures, tables, and the parts under headings that speak of something else
    than what it draws.
    """
    return "\n".join(_kept(_PICTURE.sub("", _COMMENT.sub("", body[: 3 * LONGEST_TEXT])))).strip()[
        :LONGEST_TEXT
    ]


def _kept(text: str) -> Iterator[str]:
    skipped, fence = 0, ""
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
            if not skipped or level <= skipped:
                skipped = level if _NOT_ABOUT_IT.search(heading[2]) else 0
        if not skipped and not line.lstrip().startswith("|"):
            yield line.lstrip("> ") if line.lstrip().startswith(">") else line


def _stated(head: str) -> Mapping[str, object]:
    """Plain data alone; what would grow while it is read, or is no YAML, states nothing."""
    import yaml

    if len(head) > _LONGEST_HEAD:
        return {}
    depth = 0
    try:
        for number, event in enumerate(yaml.parse(head, Loader=yaml.SafeLoader)):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(
                event, yaml.CollectionEndEvent
            )
            if isinstance(event, yaml.AliasEvent) or depth > _DEEPEST or number > _MOST_EVENTS:
                return {}
        return table(yaml.safe_load(head))
    except (yaml.YAMLError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return {}

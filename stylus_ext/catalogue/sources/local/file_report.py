"""What each file of a folder is, and what is wrong with it, for people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stylus_ext.catalogue.sources.local.facts import header_facts
from stylus_ext.catalogue.sources.local.file_types import (
    ADAPTER,
    EMBEDDING,
    FileType,
    embedding_family,
    type_of,
)
from stylus_ext.catalogue.sources.local.header import (
    BadLoraFile,
    Header,
    family_of_tensors,
    read_header,
)
from stylus_ext.catalogue.sources.local.listing import list_folders
from stylus_ext.core.family import UNKNOWN, display_name, ecosystem, family_of
from stylus_ext.core.weight_formats import FORMATS, not_loadable


@dataclass(frozen=True, slots=True)
class FileReport:
    """`file` is relative to the folder; `parts` are the parts of the model that it changes."""

    file: str
    type: str = ""
    family: str = UNKNOWN
    formats: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    embeddings: tuple[str, ...] = ()
    problem: str = ""


def report_files(folder: Path) -> Iterator[FileReport]:
    listing = list_folders([folder])
    for note in listing.notes:
        yield FileReport("", problem=note.text)
    files = (*listing.seen.values(), *listing.hidden)
    for found in sorted(files, key=lambda file: file.relative):
        try:
            header = read_header(Path(found.path))
        except BadLoraFile as error:
            yield FileReport(found.relative, problem=error.why or str(error))
        else:
            yield _report(found.relative, header)


def _report(file: str, header: Header) -> FileReport:
    file_type = type_of(header.shapes, header.metadata)
    if file_type.name == EMBEDDING:
        return FileReport(file, EMBEDDING, embedding_family(header.shapes))
    if file_type.name != ADAPTER:
        return FileReport(file, file_type.name)
    family = family_of(header_facts(header).base_model)
    return FileReport(
        file,
        ADAPTER,
        family,
        tuple(name for name in FORMATS if name in file_type.formats),
        tuple(sorted(file_type.parts)),
        file_type.embeddings,
        _problem(file_type, family, family_of_tensors(header.shapes)),
    )


def _problem(file_type: FileType, stated: str, measured: str) -> str:
    if not_loadable(file_type.formats, None):
        return "no WebUI loads it by a LoRA tag"
    if UNKNOWN not in (stated, measured) and ecosystem(stated) != ecosystem(measured):
        return f"it states {display_name(stated)}, and its weights are for {display_name(measured)}"
    return ""

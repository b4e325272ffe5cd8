"""`catalogue` and `import`: read catalogues, identify files, enter keys."""

from __future__ import annotations

import getpass
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from stylus_ext.cli import refine
from stylus_ext.cli.flags import (
    Help,
    absolute_paths,
    add_flags,
    add_number,
    add_other_folders,
    add_switch,
    name_choices,
    other_folders,
    payload_of,
)
from stylus_ext.cli.operations import CarryOut, Command, add_command
from stylus_ext.cli.rendering import notes_lines
from stylus_ext.core.counted import counted
from stylus_ext.core.settings import Settings
from stylus_ext.core.sources import CIVITAI, HUGGING_FACE, SERVICES
from stylus_ext.environment.machine import data_folder

CHAT = "chat"
_SERVICES = {CIVITAI: "civitai", HUGGING_FACE: "hugging_face", CHAT: "chat"}
SettingsFor = Callable[[Path, Namespace], Settings]


def add(
    commands: Any,
    add_common: Callable[[ArgumentParser], None],
    carry_out: CarryOut,
    settings_for: SettingsFor,
) -> None:
    text = "read Civitai's or Hugging Face's catalogue, identify your files, enter a key"
    parser = commands.add_parser(
        "catalogue",
        help=text,
        description=text[0].upper()
        + text[1:]
        + ".\nNothing is sent to either before you run one of these commands.",
        formatter_class=Help,
        allow_abbrev=False,
    )
    names = parser.add_subparsers(required=True, metavar="WHAT")
    for command in (*COMMANDS, *refine.COMMANDS):
        add_command(names, command, "catalogue ", add_common, carry_out)
    key = names.add_parser(
        "key",
        usage="python install.py catalogue key [--FLAG ...]",
        help="enter a key, for downloads that need one",
        formatter_class=Help,
        allow_abbrev=False,
        description=(
            "Enter your key of Civitai, Hugging Face or a chat server. It is read from standard"
            " input, kept in a file\nthat only you can read, and sent only to the address set"
            " now (--civitai-url,\n--hugging-face-url, --chat-url)."
        ),
    )
    key.add_argument(
        "--from",
        dest="source",
        choices=(*SERVICES, CHAT),
        default=CIVITAI,
        help=f"the service of the key (default: {CIVITAI})",
    )
    key.add_argument("--forget", action="store_true", help="delete the key instead")
    key.add_argument("--check", action="store_true", help="ask the service for the key's account")
    add_common(key)
    name_choices(names)
    key.set_defaults(run=lambda arguments: _key(arguments, settings_for))


def _from(parser: ArgumentParser, text: str) -> None:
    parser.add_argument(
        "--from",
        dest="source",
        choices=SERVICES,
        default=CIVITAI,
        help=f"{text} (default: {CIVITAI})",
    )


def _sync_flags(parser: ArgumentParser) -> None:
    _from(parser, "the catalogue to read")
    add_number(parser, "--top", "only the most downloaded models; 0 is all", 0)
    parser.add_argument(
        "--query", default="", metavar="TEXT", help="only models found by these words"
    )
    parser.add_argument("--tag", default="", metavar="TEXT", help="only models with this tag")
    parser.add_argument(
        "--base-model",
        dest="base_models",
        action="append",
        default=[],
        metavar="NAME",
        help="only for this base model, such as 'SDXL 1.0'; may be repeated",
    )
    add_switch(parser, "--nsfw", "also adult content", default=False)
    add_switch(
        parser,
        "--examples",
        "also prompts of Civitai's example pictures, a request per adapter",
        default=False,
    )
    add_flags(parser, afresh="read everything again, including changes and ended early access")


def _identify_flags(parser: ArgumentParser) -> None:
    parser.add_argument(
        "folders",
        nargs="+",
        metavar="DIR",
        help="folders of LoRAs; files are hashed and the hashes sent",
    )
    add_other_folders(parser)
    add_flags(parser, again="ask again about files unknown to Civitai in the last 30 days")


def _identify_payload(arguments: Namespace) -> dict[str, Any]:
    return {
        "lora_dirs": absolute_paths(arguments.folders),
        **other_folders(arguments),
        "again": arguments.again,
    }


_SYNC = ("source", "query", "tag", "base_models", "top", "nsfw", "examples", "afresh")


def sync_lines(answer: Mapping[str, Any]) -> Iterator[str]:
    how = (
        " (only new models)" if answer["incremental"] else " (resumed)" if answer["resumed"] else ""
    )
    yield f"Read {counted(answer['models'], 'model')} of {answer['source']}{how}."
    yield (
        f"  kept: {counted(answer['kept'], 'adapter')}, {answer['written']:,} of them new or"
        f" changed, {answer['unchanged']:,} known"
    )
    yield f"  vectors made: {answer['vectors']:,}"
    yield from _skipped(answer["skipped"])
    yield from notes_lines(answer["notes"])


def identify_lines(answer: Mapping[str, Any]) -> Iterator[str]:
    yield (
        f"Asked Civitai about {counted(answer['requested'], 'file')}: {answer['found']:,} found,"
        f" {answer['unknown']:,} unknown."
    )
    if answer["remembered"]:
        yield (
            f"  not asked again: {answer['remembered']:,} that it did not know within the last 30"
            " days (--again asks)"
        )
    if answer["waiting"]:
        yield f"  not hashed yet: {answer['waiting']:,}"
    yield from _skipped(answer["skipped"])
    yield from notes_lines(answer["notes"])


def _skipped(skipped: Mapping[str, int]) -> Iterator[str]:
    if skipped:
        yield f"  left out: {sum(skipped.values()):,}"
        for reason, count in sorted(skipped.items(), key=lambda item: (-item[1], item[0])):
            yield f"    {reason}: {count:,}"


def _key(arguments: Namespace, settings_for: SettingsFor) -> int:
    from stylus_ext.engine.services import Services

    folder = data_folder(arguments.data_dir)
    service = _SERVICES[arguments.source]
    services = Services(folder, settings_for(folder, arguments))
    try:
        if arguments.forget:
            found = services.forget_key(service)
            done = "The key was deleted." if found else "There was no key."
        elif arguments.check:
            done = services.check_key(service)
        else:
            typed = (
                getpass.getpass(f"{arguments.source} key (not shown): ")
                if sys.stdin.isatty()
                else sys.stdin.readline()
            )
            done = f"The key was saved. It is sent to {services.enter_key(service, typed)} only."
    finally:
        services.close()
    sys.stdout.write(f"{done}\n")
    return 0


COMMANDS = (
    Command(
        "sync",
        "",
        "read Civitai's or Hugging Face's catalogue; an interrupted run resumes",
        "sync",
        sync_lines,
        payload_of(*_SYNC),
        _sync_flags,
        "Without flags it reads hundreds of thousands of models at 100 models a second; begin with"
        " --top 5000.\nLater runs read only new models. Models that show real persons or minors are"
        " never taken, adult content\nonly with --nsfw. The end of the output counts what was left"
        " out, and why.",
    ),
    Command(
        "identify",
        "DIR [DIR ...] ",
        "identify your files by their hashes at Civitai",
        "identify",
        identify_lines,
        _identify_payload,
        _identify_flags,
        "Files are hashed here. Sent are the SHA256 of files that no source has named yet and, if"
        " unknown, the\nbeginning of the hash of their tensors: about a second per file.",
    ),
)


def add_import(
    commands: Any, add_common: Callable[[ArgumentParser], None], carry_out: CarryOut
) -> None:
    text = "import a published catalogue"
    parser = commands.add_parser(
        "import",
        help=text,
        description=f"{text[0].upper()}{text[1:]}.",
        formatter_class=Help,
        allow_abbrev=False,
    )
    names = parser.add_subparsers(required=True, metavar="WHAT")
    for command in IMPORT_COMMANDS:
        add_command(names, command, "import ", add_common, carry_out)
    name_choices(names)


def _flags(parser: ArgumentParser) -> None:
    parser.add_argument(
        "folder",
        metavar="DIR",
        help="the folder with sd_adapters.pkl, sd_embeddings.npy and ultra_model/",
    )
    add_switch(
        parser,
        "--vectors",
        "use the published vectors if your encoder is text-embedding-3-large",
        default=True,
    )
    add_flags(parser, chroma="store these vectors in Chroma instead of a mapped file")
    add_switch(parser, "--embed", "compute missing vectors now", default=True)


def _payload(arguments: Namespace) -> dict[str, Any]:
    names = payload_of("vectors", "chroma", "embed")
    folders = absolute_paths([arguments.folder])
    return {"format": "stylusdocs", "folder": folders[0], **names(arguments)}


def import_lines(answer: Mapping[str, Any]) -> Iterator[str]:
    how = " (resumed)" if answer["resumed"] else ""
    yield f"Read {counted(answer['read'], 'record')}{how}."
    yield (
        f"  kept: {counted(answer['kept'], 'adapter')}, {answer['described']:,} with their"
        f" published descriptions, {answer['changed']:,} new or changed"
    )
    yield f"  vectors: {answer['published']:,} published ones taken, {answer['vectors']:,} made"
    yield from _skipped(answer["skipped"])
    yield from notes_lines(answer["notes"])


IMPORT_COMMANDS = (
    Command(
        "stylusdocs",
        "DIR ",
        "the paper's 75,000 adapters with descriptions; an interrupted run resumes",
        "import",
        import_lines,
        _payload,
        _flags,
    ),
)

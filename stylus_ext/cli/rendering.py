"""Answers as lines of text."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from stylus_ext.core.counted import counted
from stylus_ext.core.family import ANY, UNKNOWN, display_name
from stylus_ext.core.weight_formats import TITLES

_MIB = 1024 * 1024
_MOST_NEAR_MISSES = 5


def plan_lines(answer: Mapping[str, Any]) -> Iterator[str]:
    plan = answer["plan"]
    picks = {pick["key"]: pick for pick in plan["picks"]}
    missing = {file["key"]: file for file in plan["missing"]}
    yield _family_line(plan["family"])
    yield f"Prompt: {plan['prompt']}"
    yield from _tasks_lines(plan, picks, missing)
    if plan["near_misses"]:
        yield ""
        yield "Close, but not taken"
        for miss in plan["near_misses"][:_MOST_NEAR_MISSES]:
            yield f"  {miss['name']}: {miss['reason']}"
    yield ""
    yield from _prompt_lines(plan)
    yield from _download_lines(missing)
    for file in answer.get("fetched", ()):
        yield (
            f"Fetched {file['stem']}, to {file['path']}"
            if file["new"]
            else f"Already there: {file['path']}"
        )
    if plan["notes"]:
        yield ""
        yield "Notes"
        for note in plan["notes"]:
            yield f"  {note['text']}"
    yield ""
    yield f"Planned in {answer['elapsed_ms']:,.0f} ms."


def _tasks_lines(
    plan: Mapping[str, Any], picks: Mapping[str, Any], missing: Mapping[str, Any]
) -> Iterator[str]:
    tasks = plan["tasks"]
    if tasks:
        yield ""
        yield "What your prompt asks for"
    for task in tasks:
        yield from _task_lines(task, picks, missing, plan["prompts"][0])
    unserved = [task["text"] for task in tasks if not task["picks"] and not task["taken_by"]]
    if unserved:
        yield f"  Nothing for: {', '.join(unserved)}"


def _download_lines(missing: Mapping[str, Any]) -> Iterator[str]:
    if missing:
        yield ""
        yield f"To download ({_size(sum(file['size'] for file in missing.values()))} in all)"
        for file in missing.values():
            yield f"  {file['file']}  {_size(file['size'])}"
        keys = " ".join(map(shlex.quote, missing))
        yield f"  python install.py fetch {keys} --lora-dir FOLDER --download"


def _family_line(family: str) -> str:
    if family in ("", ANY, UNKNOWN):
        return "LoRAs for any base model. Choose one with --family NAME."
    return f"LoRAs for {display_name(family)} models. For another base model use --family NAME."


def _task_lines(
    task: Mapping[str, Any], picks: Mapping[str, Any], missing: Mapping[str, Any], prompt: str
) -> Iterator[str]:
    if task["taken_by"]:
        yield f"  {task['text']}: served by your own {task['taken_by']}"
    for key in task["picks"]:
        pick = picks[key]
        where = "to be downloaded" if key in missing else "on disk"
        pinned = ", on in every picture" if pick["pinned"] else ""
        yield (
            f"  {task['text']}: {pick['name']}, {_weight(pick, prompt)} ({pick['kind']},"
            f" {where}{pinned})"
        )
        yield f"      because {pick['reason']}"
        if pick["triggers"]:
            yield f"      adds the words {', '.join(pick['triggers'])}"


def _weight(pick: Mapping[str, Any], prompt: str) -> str:
    """The weight in the first prompt, where the weights of several picks are lowered."""
    written = re.search(r"<\w+:" + re.escape(f"{pick['stem']}:") + r"([^>]+)>", prompt)
    alone = f"{pick['weight']:g}"
    if written is None or written[1] == alone:
        return f"weight {alone}"
    return f"weight {written[1]}, alone {alone}"


def _prompt_lines(plan: Mapping[str, Any]) -> Iterator[str]:
    if len(plan["prompts"]) == 1:
        yield "Resulting prompt"
        yield f"  {plan['prompts'][0]}"
    else:
        picks = (*plan["picks"], *plan.get("alternatives", ()))  # an older engine may answer
        names = {pick["key"]: pick["name"] for pick in picks}
        yield "Resulting prompts"
        for number, (mask, prompt) in enumerate(
            zip(plan["masks"], plan["prompts"], strict=True), 1
        ):
            yield f"  Batch {number} ({', '.join(names[key] for key in mask) or 'no adapter'})"
            yield f"    {prompt}"
    changed = [
        text for text in dict.fromkeys(plan["negative_prompts"]) if text != plan["negative_prompt"]
    ]
    for text in changed:
        yield f"Negative prompt: {text}"


def entries_lines(answer: Mapping[str, Any]) -> Iterator[str]:
    entries = answer["entries"]
    yield f"{answer['total']:,} found" + (
        f", the first {len(entries)} of them:"
        if answer["total"] > len(entries)
        else ":"
        if entries
        else "."
    )
    width = max((len(entry["key"]) for entry in entries), default=0)
    for entry in entries:
        where = f"on disk as {entry['stem']}" if entry["stem"] else "not on disk"
        state = "" if entry["state"] == "auto" else f", {entry['state']}"
        yield (
            f"  {entry['key']:<{width}}  {entry['name']} ({entry['kind']}, {entry['family']},"
            f" {where}{state})"
        )


def entry_lines(answer: Mapping[str, Any]) -> Iterator[str]:
    entry = answer["entry"]
    yield f"{entry['name']} {entry['version']}".rstrip()
    for label, value in (
        ("key", entry["key"]),
        ("also known as", ", ".join(entry["equivalents"])),
        ("name in the file", entry["alias"]),
        ("type", f"{'negative ' if entry['negative'] else ''}{entry['type']}"),
        ("kind", ", ".join([entry["kind"], *entry["flags"]])),
        ("family", f"{entry['family']} ({entry['base_model'] or 'the source does not say'})"),
        ("state", entry["state"]),
        ("weight", "" if entry["weight"] is None else f"{entry['weight']:g}"),
        ("trigger words", " | ".join(entry["triggers"])),
        ("tags", ", ".join(entry["tags"])),
        ("description", f"{entry['text']} (from {entry['described_by']})"),
        ("negative text", entry["negative_text"]),
        ("files", "; ".join(file["path"] for file in entry["files"]) or "none on disk"),
        (
            "to download",
            (
                f"{entry['remote']['name']}, {_size(entry['remote']['size'])}"
                if entry["remote"]
                else ""
            ),
        ),
        ("examples", counted(len(entry["examples"]), "prompt") if entry["examples"] else ""),
    ):
        if value:
            yield f"  {label}: {value}"


def index_lines(answer: Mapping[str, Any]) -> Iterator[str]:
    results = (
        ("written", "new or changed"),
        ("gone", "gone"),
        ("united", "found to be the same as another"),
        ("learned", "learned about from your pictures"),
        ("hashed", "hashed"),
        ("vectors", "vectors made"),
    )
    parts = [f"{answer[name]:,} {text}" for name, text in results if answer[name]]
    yield "Index: " + (", ".join(parts) or "nothing changed") + "."
    yield from notes_lines(answer["notes"])


def status_lines(answer: Mapping[str, Any]) -> Iterator[str]:
    if "files" in answer:
        yield from _file_lines(answer["files"])
        return
    catalogue = answer["catalogue"]
    yield f"Stylus {answer['version']}"
    yield f"  data folder: {answer['data_folder']}"
    yield (
        f"  catalogue: {counted(catalogue['entries'], 'adapter')}, {catalogue['on_disk']:,} on"
        f" disk, revision {catalogue['revision']}"
    )
    yield f"  encoder: {answer['encoder']}"
    yield (
        f"  vectors: {answer['vectors']},"
        f" {'in step with the catalogue' if catalogue['in_step'] else 'not yet in step with the catalogue'}"  # noqa: E501
    )
    engine = answer["engine"]
    yield "  engine: " + (
        f"runs at {engine['url']} (process {engine['pid']})"
        if engine
        else "does not run; commands do their work themselves"
    )
    yield "What leaves this machine"
    for sentence in answer["leaves_the_machine"] or ["nothing"]:
        yield f"  {sentence}"
    yield "Only when you give the command"
    for sentence in answer["leaves_on_request"]:
        yield f"  {sentence}"
    yield from notes_lines(answer["notes"])


def _file_lines(reports: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for report in reports:
        what = [text for text in (_kind_of_file(report), report["problem"]) if text]
        yield ": ".join(filter(None, (report["file"], "; ".join(what))))
    if not reports:
        yield "There are no safetensors files."


def _kind_of_file(report: Mapping[str, Any]) -> str:
    """What a file is, such as "LoRA, DoRA, SDXL, unet only"."""
    formats = [TITLES[name] for name in report["formats"]]
    parts = [f"{part} only" for part in report["parts"]] if len(report["parts"]) == 1 else []
    family = [] if report["family"] == UNKNOWN else [display_name(report["family"])]
    bundled = [f"with the embedding '{name}'" for name in report["embeddings"]]
    kind = formats or [report["type"]]
    return ", ".join(filter(None, (*kind, *family, *parts, *bundled)))


def notes_lines(notes: Sequence[Mapping[str, str]]) -> Iterator[str]:
    if notes:
        yield "Notes"
        for note in notes:
            yield f"  {note['text']}"


def _size(size: int) -> str:
    return f"{size / _MIB:,.0f} MB" if size else "size unknown"

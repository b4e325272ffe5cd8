"""Repositories in the shapes of the hub's API, with invented values."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
COMMIT = "c" * 40


@dataclass
class Repo:
    """`files` by path; those below a megabyte that are no safetensors are not kept as large files.
    `stated` goes into the listing.
    """

    name: str
    files: dict[str, bytes] = field(default_factory=dict)
    head: Json = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    stated: Json = field(default_factory=dict)
    commit: str = COMMIT
    older: dict[str, dict[str, bytes]] = field(default_factory=dict)
    """Files of commits before."""
    security: dict[str, str] = field(default_factory=dict)
    """What the scanners say, by path."""

    def at(self, revision: str) -> dict[str, bytes] | None:
        return self.files if revision in ("main", self.commit) else self.older.get(revision)

    def listed(self) -> Json:
        return {
            "_id": hashlib.md5(self.name.encode()).hexdigest()[:24],  # noqa: S324
            "id": self.name,
            "modelId": self.name,
            "author": self.name.partition("/")[0],
            "sha": self.commit,
            "lastModified": "2026-03-04T05:06:07.000Z",
            "createdAt": "2026-01-01T00:00:00.000Z",
            "private": False,
            "gated": False,
            "disabled": False,
            "downloads": 120,
            "likes": 3,
            "library_name": "diffusers",
            "pipeline_tag": "text-to-image",
            "tags": self.tags,
            "cardData": self.head,
            "siblings": [{"rfilename": path} for path in self.files],
            **self.stated,
        }

    def row(self, path: str, body: bytes, *, expand: bool) -> Json:
        found: Json = {
            "type": "file",
            "oid": hashlib.sha1(body).hexdigest(),  # noqa: S324
            "size": len(body),
            "path": path,
        }
        if is_large(path, body):
            found["lfs"] = {
                "oid": hashlib.sha256(body).hexdigest(),
                "size": len(body),
                "pointerSize": 134,
            }
        if expand:
            found["lastCommit"] = {
                "id": self.commit,
                "title": "Upload",
                "date": "2026-03-04T05:06:07.000Z",
            }
            found["securityFileStatus"] = {
                "status": self.security.get(path, "safe"),
                "avScan": None,
                "pickleImportScan": None,
            }
        return found


def is_large(path: str, body: bytes) -> bool:
    return path.endswith(".safetensors") or len(body) > 2**20


def a_readme(head: Mapping[str, Any], body: str = "Draws foxes in the rain.") -> bytes:
    """JSON is YAML."""
    return f"---\n{json.dumps(head, indent=1)}\n---\n{body}\n".encode()


def a_repo(
    name: str = "somebody/rain-fox",
    body: bytes = b"rain fox",
    file: str = "rain-fox.safetensors",
    **changes: Any,
) -> Repo:
    """Of one LoRA for SDXL, as the hub's own trainer uploads it. `text` is the README's body, or
    all of it as bytes.
    """
    head = {
        "base_model": "stabilityai/stable-diffusion-xl-base-1.0",
        "instance_prompt": "a photo of rnfx fox",
        "license": "openrail++",
        "tags": ["text-to-image", "lora", "diffusers", "fox", "template:sd-lora"],
        "widget": [
            {"text": "rnfx fox in a wet street", "output": {"url": "images/one.png"}},
            {"text": "-", "output": {"url": "images/two.png"}},
        ],
        **changes.pop("head", {}),
    }
    tags = [
        "diffusers",
        "text-to-image",
        "lora",
        "fox",
        "base_model:stabilityai/stable-diffusion-xl-base-1.0",
        "license:openrail++",
        "region:us",
    ]
    text = changes.pop(
        "text",
        f"# {name}\n\n<Gallery />\n\nDraws a red fox in the rain, in soft colours.\n\n## Download"
        " model\n\nWeights are here.\n",
    )
    readme = text if isinstance(text, bytes) else a_readme(head, text)
    files = {
        "README.md": readme,
        ".gitattributes": b"*",
        file: body,
        "images/one.png": b"\x89PNG",
        **changes.pop("files", {}),
    }
    return Repo(name, files, head, changes.pop("tags", tags), **changes)

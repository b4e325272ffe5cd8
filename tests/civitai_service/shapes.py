"""Models, versions, files and pictures in the shapes of Civitai's API, with invented values."""

from __future__ import annotations

import hashlib
from typing import Any

Json = dict[str, Any]


def hashes_of(body: bytes) -> Json:
    """Upper-case, as Civitai writes them."""
    sha256 = hashlib.sha256(body).hexdigest().upper()
    return {
        "AutoV1": sha256[8:16],
        "AutoV2": sha256[:10],
        "SHA256": sha256,
        "CRC32": sha256[-8:],
        "BLAKE3": sha256[::-1],
        "AutoV3": sha256[20:32],
    }


def a_file(version_id: int, name: str = "", body: bytes | None = None, **changes: Any) -> Json:
    content = body if body is not None else b"content of %d" % version_id
    return {
        "id": version_id + 10_000,
        "name": name or f"adapter_{version_id}.safetensors",
        "type": "Model",
        "sizeKB": len(content) / 1024,
        "metadata": {"format": "SafeTensor", "size": None, "fp": "fp16"},
        "pickleScanResult": "Success",
        "virusScanResult": "Success",
        "hashes": hashes_of(content),
        "primary": True,
        "downloadUrl": f"https://civitai.com/api/download/models/{version_id}",
        **changes,
    }


def a_picture(picture_id: int, **changes: Any) -> Json:
    """As a version lists it."""
    return {
        "id": picture_id,
        "url": f"https://image.civitai.com/x/{picture_id}.jpeg",
        "nsfwLevel": 1,
        "width": 768,
        "height": 1152,
        "hash": "U00",
        "type": "image",
        **changes,
    }


def a_made_picture(
    version_id: int, prompt: str, weight: float | None = None, **changes: Any
) -> Json:
    """As /images has it, with what it was made from."""
    resources = (
        [] if weight is None else [{"type": "lora", "modelVersionId": version_id, "weight": weight}]
    )
    return {
        "id": version_id + 20_000,
        "url": "https://image.civitai.com/x/1.jpeg",
        "type": "image",
        "width": 832,
        "height": 1216,
        "nsfw": False,
        "nsfwLevel": "None",
        "browsingLevel": 1,
        "baseModel": "SD 1.5",
        "modelVersionIds": [version_id],
        "meta": {
            "prompt": prompt,
            "negativePrompt": "blurry",
            "steps": 28,
            "cfgScale": 6,
            "civitaiResources": resources,
        },
        **changes,
    }


def a_version(version_id: int, **changes: Any) -> Json:
    return {
        "id": version_id,
        "name": "v1.0",
        "baseModel": "SD 1.5",
        "baseModelType": "Standard",
        "publishedAt": "2026-01-02T03:04:05.000Z",
        "availability": "Public",
        "nsfwLevel": 1,
        "trainedWords": [f"word{version_id}"],
        "supportsGeneration": True,
        "stats": {"downloadCount": 100, "thumbsUpCount": 90, "thumbsDownCount": 10},
        "files": [a_file(version_id)],
        "images": [a_picture(version_id + 30_000)],
        "downloadUrl": f"https://civitai.com/api/download/models/{version_id}",
        **changes,
    }


def a_model(model_id: int, *versions: Json, **changes: Any) -> Json:
    """Without versions it gets one, whose id is the model's and 1,000,000."""
    return {
        "id": model_id,
        "name": f"Adapter {model_id}",
        "description": f"<p>Draws the thing number {model_id}.</p>",
        "type": "LORA",
        "nsfw": False,
        "nsfwLevel": 1,
        "availability": "Public",
        "poi": False,
        "minor": False,
        "sfwOnly": False,
        "allowNoCredit": True,
        "allowCommercialUse": ["Image", "RentCivit"],
        "allowDerivatives": True,
        "allowDifferentLicense": False,
        "supportsGeneration": True,
        "tags": ["background", "style"],
        "creator": {"username": "example_maker", "image": None},
        "stats": {
            "downloadCount": 4821,
            "thumbsUpCount": 612,
            "thumbsDownCount": 4,
            "commentCount": 9,
            "tippedAmountCount": 0,
        },
        "modelVersions": list(versions) or [a_version(model_id + 1_000_000)],
        **changes,
    }

"""Pictures by diffusers: a model of this machine and the LoRAs of folders, without a WebUI."""

from __future__ import annotations

import base64
import inspect
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stylus_ext.catalogue.sources.local.file_types import ADAPTER, type_of
from stylus_ext.catalogue.sources.local.header import BadLoraFile, read_header
from stylus_ext.catalogue.sources.local.listing import list_folders
from stylus_ext.core.errors import InvalidInput, Unavailable, reason_of
from stylus_ext.core.fetching import MB
from stylus_ext.core.weight_formats import DORA, LORA
from stylus_ext.evaluation.pictures.diffusers_prompt import LoraTag, lora_tags, plain_text
from stylus_ext.evaluation.pictures.diffusers_samplers import set_sampler
from stylus_ext.evaluation.pictures.maker import ReceivedPicture
from stylus_ext.evaluation.pictures.metrics import missing_packages

if TYPE_CHECKING:
    from PIL.Image import Image

_LOADED = frozenset({LORA, DORA})
_TEXT_PARTS = "text_encoder"
_CLASSES = {
    "xl": "StableDiffusionXLPipeline",
    "sd3": "StableDiffusion3Pipeline",
    "flux": "FluxPipeline",
    "v": "StableDiffusionPipeline",
    "inpainting": "StableDiffusionPipeline",
}
"""The pipeline of a single file, by how its type begins."""


@dataclass(frozen=True, slots=True)
class DiffusersModel:
    """A folder in the format of diffusers, or a safetensors file.

    `config` is a folder of a model of the same family, for a file whose configuration is not in the
    cache of Hugging Face. `device` is empty for the GPU where there is one.
    """

    path: Path
    config: Path | None = None
    device: str = ""


class DiffusersMaker:
    """`generate` makes one picture from the fields of a request to a WebUI."""

    def __init__(self, model: DiffusersModel, lora_dirs: Sequence[Path]) -> None:
        self._model = model
        self._lora_dirs = lora_dirs
        self._pipeline: Any = None
        self._by_task: dict[str, Any] = {}
        self._files: dict[str, Path] = {}
        self._loaded: tuple[LoraTag, ...] | None = ()
        self._sampler = ("", "")

    def close(self) -> None:
        self._pipeline = None
        self._by_task.clear()

    def check(self) -> None:
        """Load the model and list the LoRAs."""
        if missing := missing_packages("diffusers", "peft", "torch"):
            raise InvalidInput(missing)
        self._files = _lora_files(self._lora_dirs)
        self._pipeline = _load(self._model)

    def loras(self) -> list[str]:
        """The names of the LoRAs that diffusers can load."""
        return list(self._files)

    def generate(self, fields: Mapping[str, Any]) -> ReceivedPicture:
        """Make one picture; the time includes loading its LoRAs."""
        import torch

        on_gpu = torch.cuda.is_available() and self._pipeline.device.type == "cuda"
        if on_gpu:
            torch.cuda.reset_peak_memory_stats()
        started = time.monotonic()
        try:
            image = self._image(fields)
        except RuntimeError as error:  # out of memory among others
            raise Unavailable(
                f"diffusers could not make the picture: {reason_of(_first_line(error))}."
                " Run this again, or with a smaller --width and --height."
            ) from error
        seconds = time.monotonic() - started
        memory = torch.cuda.max_memory_allocated() / MB if on_gpu else None
        infotext = _infotext(fields, self._model.path.stem)
        return ReceivedPicture(
            _png(image, infotext),
            round(seconds, 4),
            fields["seed"],
            self._model.path.stem,
            infotext,
            None if memory is None else round(memory, 1),
        )

    def _image(self, fields: Mapping[str, Any]) -> Image:
        import torch

        sampler = (str(fields.get("sampler_name", "")), str(fields.get("scheduler", "")))
        if sampler != self._sampler:
            set_sampler(self._pipeline, *sampler)
            self._by_task.clear()
            self._sampler = sampler
        self._use(lora_tags(fields["prompt"]))
        values = {
            "prompt": plain_text(fields["prompt"]),
            "negative_prompt": plain_text(fields["negative_prompt"]),
            "num_inference_steps": fields["steps"],
            "guidance_scale": fields["cfg_scale"],
            "width": fields["width"],
            "height": fields["height"],
            "generator": torch.Generator("cpu").manual_seed(fields["seed"]),
            **_start(fields),
        }
        pipeline = self._for_task(values)
        names = inspect.signature(pipeline.__call__).parameters
        found = pipeline(**{name: value for name, value in values.items() if name in names})
        image: Image = found.images[0]
        return image

    def _for_task(self, values: Mapping[str, Any]) -> Any:
        task = "Inpainting" if "mask_image" in values else "Image2Image"
        if "image" not in values:
            task = "Text2Image"
        if task not in self._by_task:
            import diffusers

            kind = getattr(diffusers, f"AutoPipelineFor{task}")
            try:
                self._by_task[task] = kind.from_pipe(self._pipeline)
            except ValueError as error:
                name = type(self._pipeline).__name__
                raise InvalidInput(f"diffusers has no {task} for {name}.") from error
            self._by_task[task].set_progress_bar_config(disable=True)
        return self._by_task[task]

    def _use(self, tags: tuple[LoraTag, ...]) -> None:
        """Load the LoRAs of a picture; those of the picture before are taken out."""
        tags = tuple(tag for tag in tags if tag.weight or tag.text_weight)
        if tags == self._loaded:
            return
        before, self._loaded = self._loaded, None  # unknown until all are loaded
        if before is None or [tag.name for tag in tags] != [tag.name for tag in before]:
            if hasattr(self._pipeline, "unload_lora_weights"):
                self._pipeline.unload_lora_weights()
            for place, tag in enumerate(tags):
                self._load_lora(tag.name, f"lora{place}")
        if tags:
            names = [f"lora{place}" for place in range(len(tags))]
            parts = self._pipeline.get_list_adapters()
            weights = [
                _weights(tag, [part for part, found in parts.items() if name in found])
                for tag, name in zip(tags, names, strict=True)
            ]
            self._pipeline.set_adapters(names, weights)
        self._loaded = tags

    def _load_lora(self, name: str, adapter: str) -> None:
        file = self._files.get(name)
        if file is None:
            raise InvalidInput(
                f"There is no LoRA {name!r} for diffusers in the folders of --lora-dir."
            )
        if not hasattr(self._pipeline, "load_lora_weights"):
            raise InvalidInput(f"{type(self._pipeline).__name__} loads no LoRAs.")
        from diffusers.utils import logging

        level = logging.get_verbosity()
        logging.set_verbosity_error()  # a LoRA without text encoder would be a warning
        try:
            self._pipeline.load_lora_weights(
                str(file.parent), weight_name=file.name, adapter_name=adapter, local_files_only=True
            )
        except (OSError, ValueError, KeyError, RuntimeError, AttributeError) as error:
            reason = reason_of(_first_line(error))
            raise InvalidInput(
                f"diffusers cannot load {file}: {reason}. Move it out of the folder."
            ) from error
        finally:
            logging.set_verbosity(level)
        listed = self._pipeline.get_list_adapters()
        if not any(adapter in names for names in listed.values()):
            raise InvalidInput(f"{file} changes nothing in this model. Move it out of the folder.")


def _weights(tag: LoraTag, parts: Sequence[str]) -> dict[str, float]:
    return {part: tag.text_weight if part.startswith(_TEXT_PARTS) else tag.weight for part in parts}


def _lora_files(folders: Sequence[Path]) -> dict[str, Path]:
    """The LoRAs that diffusers can load, by name."""
    found: dict[str, Path] = {}
    for stem, file in list_folders(folders).seen.items():
        path = Path(file.path)
        try:
            header = read_header(path)
        except BadLoraFile:
            continue
        kind = type_of(header.shapes, header.metadata)
        if kind.name == ADAPTER and LORA in kind.formats and kind.formats <= _LOADED:
            found[stem] = path
    return found


def _load(model: DiffusersModel) -> Any:
    device = _device(model.device)
    try:
        pipeline = _of_folder(model, device) if model.path.is_dir() else _of_file(model, device)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        reason = reason_of(_first_line(error))
        raise InvalidInput(
            f"{model.path} cannot be loaded: {reason}. Give a folder in the format of diffusers, or"
            " a safetensors file with --diffusers-config DIR."
        ) from error
    if getattr(pipeline, "safety_checker", None) is not None:
        pipeline.safety_checker = None  # it would make pictures of one arm black
        pipeline.register_to_config(requires_safety_checker=False)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to(device)


def _of_folder(model: DiffusersModel, device: str) -> Any:
    from diffusers import DiffusionPipeline

    index = json.loads((model.path / "model_index.json").read_text("utf-8"))
    options = {"safety_checker": None} if "safety_checker" in index else {}
    return DiffusionPipeline.from_pretrained(
        model.path,
        local_files_only=True,
        use_safetensors=True,
        torch_dtype=_precision(device, str(index["_class_name"])),
        **options,
    )


def _of_file(model: DiffusersModel, device: str) -> Any:
    import diffusers

    if model.path.suffix.lower() != ".safetensors":
        raise ValueError("it is neither a folder nor a safetensors file")
    if model.config is None:
        name = _class_of_file(model.path)
        options = {}
    else:
        index = json.loads((model.config / "model_index.json").read_text("utf-8"))
        name, options = str(index["_class_name"]), {"config": str(model.config)}
    return getattr(diffusers, name).from_single_file(
        str(model.path), local_files_only=True, torch_dtype=_precision(device, name), **options
    )


def _class_of_file(file: Path) -> str:
    from diffusers.loaders.single_file_utils import (
        infer_diffusers_model_type,
        load_single_file_checkpoint,
    )

    kind = str(infer_diffusers_model_type(load_single_file_checkpoint(str(file))))
    for beginning, name in _CLASSES.items():
        if kind.startswith(beginning):
            return name
    raise ValueError(f"its type is {kind}")


def _device(wanted: str) -> str:
    import torch

    if not wanted:
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=wanted)
    except (RuntimeError, AssertionError) as error:
        raise InvalidInput(
            f"There is no device {wanted!r} here. Leave --diffusers-device out."
        ) from error
    return wanted


def _precision(device: str, pipeline: str) -> Any:
    import torch

    if not device.startswith("cuda"):
        return torch.float32
    return torch.float16 if pipeline.startswith("StableDiffusion") else torch.bfloat16


def _start(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The pictures of img2img and inpainting, in the size of the picture that is made."""
    if "init_images" not in fields:
        return {}
    size = fields["width"], fields["height"]
    values = {
        "image": _picture(fields["init_images"][0], "RGB").resize(size),
        "strength": fields["denoising_strength"],
    }
    if "mask" in fields:
        values["mask_image"] = _picture(fields["mask"], "L").resize(size)
    return values


def _picture(text: str, mode: str) -> Image:
    from PIL import Image

    with Image.open(BytesIO(base64.b64decode(text))) as opened:
        picture: Image.Image = opened.convert(mode)
        return picture


def _png(image: Image, infotext: str) -> bytes:
    from PIL.PngImagePlugin import PngInfo

    texts = PngInfo()
    texts.add_itxt("parameters", infotext)
    data = BytesIO()
    image.save(data, "PNG", pnginfo=texts)
    return data.getvalue()


def _infotext(fields: Mapping[str, Any], model: str) -> str:
    """The settings of a picture, written as the WebUIs write them."""
    facts = {
        "Steps": fields["steps"],
        "Sampler": fields.get("sampler_name", ""),
        "Schedule type": fields.get("scheduler", ""),
        "CFG scale": f"{fields['cfg_scale']:g}",
        "Seed": fields["seed"],
        "Size": f"{fields['width']}x{fields['height']}",
        "Model": model,
        "Denoising strength": fields.get("denoising_strength", ""),
    }
    stated = ", ".join(f"{name}: {value}" for name, value in facts.items() if value != "")
    negative = fields["negative_prompt"]
    lines = [fields["prompt"], *([f"Negative prompt: {negative}"] if negative else []), stated]
    return "\n".join(lines)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]

"""What a file is, by generated headers of every type that hosts and trainers write."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.catalogue.sources.local.file_report import report_files
from stylus_ext.catalogue.sources.local.file_types import (
    ADAPTER,
    EMBEDDING,
    TEXT_ENCODER,
    UNET,
    Shapes,
    embedding_family,
    type_of,
)
from stylus_ext.core.weight_formats import FORMATS, NOWHERE, cannot_load, not_loadable
from tests.lora_files import LORAS, NOT_LORAS, safetensors_bytes

MODULE = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k"
TEXT = "lora_te_text_model_encoder_layers_0_mlp_fc1"
PLAIN: Shapes = {f"{MODULE}.lora_up.weight": (640, 2), f"{MODULE}.lora_down.weight": (2, 768)}
ZOO: dict[str, tuple[Shapes, set[str]]] = {
    "lora": (PLAIN, {"lora"}),
    "lora with alpha": ({**PLAIN, f"{MODULE}.alpha": ()}, {"lora"}),
    "locon": ({**PLAIN, f"{MODULE}.lora_mid.weight": (2, 2, 3, 3)}, {"lora"}),
    "peft": (
        {
            "unet.a.0.to_k.lora_A.default.weight": (2, 8),
            "unet.a.0.to_k.lora_B.default.weight": (8, 2),
        },
        {"lora"},
    ),
    "loha": (
        {f"{MODULE}.hada_{part}": (2, 2) for part in ("w1_a", "w1_b", "w2_a", "w2_b")},
        {"loha"},
    ),
    "loha with tucker": (
        {f"{MODULE}.hada_{part}": (2, 2) for part in ("w1_a", "w1_b", "w2_a", "w2_b", "t1", "t2")},
        {"loha"},
    ),
    "loha with the name of an adapter": (
        {f"a.to_k.hada_{part}.default": (2, 2) for part in ("w1_a", "w1_b", "w2_a", "w2_b")},
        {"loha"},
    ),
    "lokr": ({f"{MODULE}.lokr_w1": (4, 4), f"{MODULE}.lokr_w2": (4, 4)}, {"lokr"}),
    "lokr parts": (
        {"lycoris_x.lokr_w1": (4, 4), "lycoris_x.lokr_w2_a": (4, 2), "lycoris_x.lokr_w2_b": (2, 4)},
        {"lokr"},
    ),
    "oft": ({f"{MODULE}.oft_blocks": (4, 8, 8), f"{MODULE}.alpha": ()}, {"oft"}),
    "oft of kohya": ({"oft_unet_down_blocks_1_attn1_to_k.oft_blocks": (4, 8, 8)}, {"oft"}),
    "boft": ({f"{MODULE}.oft_blocks": (2, 4, 8, 8)}, {"boft"}),
    "oftv2": ({"diffusion_model.blocks.0.q.oft_R.weight": (4, 28)}, {"oftv2"}),
    "glora": ({f"{MODULE}.{part}.weight": (4, 4) for part in ("a1", "a2", "b1", "b2")}, {"glora"}),
    "dora": ({**PLAIN, f"{MODULE}.dora_scale": (1, 768)}, {"lora", "dora"}),
    "dora of peft": (
        {"a.to_k.lora_A.weight": (2, 8), "a.to_k.lora_magnitude_vector": (8,)},
        {"lora", "dora"},
    ),
    "dora on loha": (
        {f"{MODULE}.hada_w1_a": (2, 2), f"{MODULE}.dora_scale": (1, 2)},
        {"loha", "dora"},
    ),
    "ia3": ({f"{MODULE}.weight": (768,), f"{MODULE}.on_input": ()}, {"ia3"}),
    "full": ({f"{MODULE}.diff": (640, 768), f"{MODULE}.diff_b": (640,)}, {"full"}),
    "norm": (
        {**PLAIN, "lora_unet_norm.w_norm": (8,), "lora_unet_norm.b_norm": (8,)},
        {"lora", "norm"},
    ),
    "mixed": ({**PLAIN, f"{TEXT}.lokr_w1": (4, 4), f"{TEXT}.lokr_w2": (4, 4)}, {"lora", "lokr"}),
    "routed": ({**PLAIN, f"{MODULE}.router.weight": (4, 8)}, {"lora", "routed"}),
    "many ups": (
        {f"{MODULE}.lora_down.weight": (2, 8), f"{MODULE}.lora_ups.0.weight": (8, 2)},
        {"lora", "routed"},
    ),
    "a LoRA of a model with experts": (
        {
            "blocks.0.ff.experts.3.w1.lora_A.weight": (2, 8),
            "blocks.0.ff.gate.lora_A.weight": (2, 8),
        },
        {"lora"},
    ),
    "a module of an unknown format": (
        {**PLAIN, "lora_unet_x.abba_a1": (4, 4)},
        {"lora", "unknown"},
    ),
    "a module with nothing but alpha": ({**PLAIN, "lora_unet_x.alpha": ()}, {"lora", "unknown"}),
    "vera": ({"lora_unet_x.vera_lambda_b": (4,), "lora_unet_x.vera_lambda_d": (4,)}, {"unknown"}),
}
OTHERS: dict[str, Shapes] = {
    "checkpoint": NOT_LORAS["checkpoint"],
    "checkpoint of a transformer": {"double_blocks.0.img_attn.qkv.weight": (9, 3)},
    "VAE": NOT_LORAS["vae"],
    "ControlNet": NOT_LORAS["controlnet"],
    "text encoder": {"text_model.encoder.layers.0.mlp.fc1.weight": (8, 8)},
    "hypernetwork": {"linear.0.weight": (8, 8)},
}
EMBEDDINGS: dict[str, tuple[Shapes, str]] = {
    "emb_params": ({"emb_params": (4, 768)}, "sd1"),
    "string_to_param": ({"string_to_param.*": (4, 1024)}, "sd2"),
    "both encoders": ({"clip_g": (4, 1280), "clip_l": (4, 768)}, "sdxl"),
    "a word": ({"<sks>": (768,)}, "sd1"),
    "another width": ({"emb_params": (4, 4096)}, "unknown"),
}


@pytest.mark.parametrize("name", ZOO)
def test_formats_of_adapters(name: str) -> None:
    shapes, formats = ZOO[name]
    found = type_of(shapes)
    assert (found.name, set(found.formats)) == (ADAPTER, formats)


@pytest.mark.parametrize("name", OTHERS)
def test_other_files_are_named(name: str) -> None:
    assert type_of(OTHERS[name]).name == name.removesuffix(" of a transformer")


@pytest.mark.parametrize("name", EMBEDDINGS)
def test_embeddings_and_their_family(name: str) -> None:
    shapes, family = EMBEDDINGS[name]
    assert type_of(shapes).name == EMBEDDING
    assert embedding_family(shapes) == family


def test_routed_files_of_stylus_say_so_in_their_metadata() -> None:
    shapes = {
        f"{MODULE}.lora_downs": (4, 2, 768),
        f"{MODULE}.lora_up.weight": (640, 2),
        f"{MODULE}.router.weight": (4, 768),
        f"{MODULE}.variance": (4, 640),
    }
    ours = {"stylus.adapter": "styleinject"}
    assert type_of(shapes, ours).formats == {"styleinject"}
    assert type_of(shapes, ours).parts == {UNET}
    assert type_of(shapes).formats == {"lora", "routed"}
    assert type_of(PLAIN, ours).formats == {"lora"}
    assert type_of(OTHERS["VAE"], ours).name == "VAE"


def test_parts_of_the_model() -> None:
    text = {f"{TEXT}.lora_up.weight": (8, 2), f"{TEXT}.lora_down.weight": (2, 8)}
    assert type_of(PLAIN).parts == {UNET}
    assert type_of(text).parts == {TEXT_ENCODER}
    assert type_of({**PLAIN, **text}).parts == {UNET, TEXT_ENCODER}


def test_bundled_embeddings() -> None:
    bundled = {"bundle_emb.sks.string_to_param.*": (4, 768), "bundle_emb.old.emb_params": (1, 768)}
    assert type_of({**PLAIN, **bundled}).embeddings == ("sks", "old")
    assert type_of({**PLAIN, **bundled}).formats == {"lora"}


@given(st.sets(st.sampled_from(FORMATS)), st.sets(st.sampled_from(FORMATS)))
def test_only_what_the_webui_loads(mine: set[str], loads: set[str]) -> None:
    missing = set(not_loadable(mine, frozenset(loads)))
    assert missing == (mine - loads) | (mine & NOWHERE)
    assert set(not_loadable(mine, None)) == mine & NOWHERE
    assert cannot_load(missing)


@given(st.dictionaries(st.text(max_size=40), st.tuples(st.integers(0, 9)), max_size=8))
def test_any_names_have_a_type(shapes: Shapes) -> None:
    assert type_of(shapes).name


def test_a_folder_is_described_file_by_file(tmp_path: Path) -> None:
    files = {
        "styles/plain": LORAS["sdxl"],
        "dora": ZOO["dora"][0],
        "odd": ZOO["a module of an unknown format"][0],
        "easy": EMBEDDINGS["emb_params"][0],
        "model": OTHERS["checkpoint"],
    }
    for stem, shapes in files.items():
        path = tmp_path / f"{stem}.safetensors"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(safetensors_bytes(shapes))
    (tmp_path / "wrong.safetensors").write_bytes(
        safetensors_bytes(LORAS["sd1"], {"ss_base_model_version": "sdxl_base_v1-0"})
    )
    (tmp_path / "cut.safetensors").write_bytes(b"\x01")
    found = {report.file.removesuffix(".safetensors"): report for report in report_files(tmp_path)}
    assert set(found) == {*files, "wrong", "cut"}
    assert {name for name, report in found.items() if report.problem} == {"odd", "wrong", "cut"}
    assert found["styles/plain"].family == "sdxl"
    assert found["dora"].formats == ("lora", "dora")
    assert (found["easy"].type, found["easy"].family) == (EMBEDDING, "sd1")
    assert found["model"].type == "checkpoint"

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylus_ext.catalogue.sources.local.file_types import ADAPTER, Shapes, type_of
from stylus_ext.catalogue.sources.local.header import family_of_tensors
from stylus_ext.core.family import UNKNOWN, known_families
from tests.lora_files import LORAS, NOT_LORAS


def is_adapter(shapes: Shapes) -> bool:
    return type_of(shapes).name == ADAPTER


UNET = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k"
XL = "lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k"


@pytest.mark.parametrize(
    "name",
    [
        "lora_unet_x.lora_up.weight",
        "lora_te_text_model_encoder_layers_0_mlp_fc1.lora_down.weight",
        "transformer.single_transformer_blocks.0.attn.to_q.lora_A.weight",
        "base_model.model.x.lora_B.default.weight",
        "unet.down_blocks.0.attentions.0.to_k.lora.up.weight",
        "unet.mid_block.attn1.processor.to_k_lora.down.weight",
        "lora_unet_x.hada_w1_a",
        "lora_unet_x.hada_t1",
        "lora_unet_x.lokr_w1",
        "lycoris_blocks_0.lokr_w2_b",
        "lora_unet_x.oft_blocks",
        "lora_unet_x.oft_diag",
        "lora_unet_x.dora_scale",
        "lora_unet_x.on_input",
        "lora_unet_x.diff",
        "lora_unet_x.diff_b",
        "lora_unet_x.a1.weight",
    ],
)
def test_parts_of_loras_and_their_relatives(name: str) -> None:
    assert is_adapter({name: (4, 4)})


@pytest.mark.parametrize("kind", NOT_LORAS)
def test_other_networks_are_no_loras(kind: str) -> None:
    assert not is_adapter(NOT_LORAS[kind])


@pytest.mark.parametrize(
    "name",
    ["explora_upper.weight", "color_diff.weight", "flora.weight", "model.on_input_layer", "alpha"],
)
def test_lookalikes_are_no_loras(name: str) -> None:
    assert not is_adapter({name: (4, 4)})


@pytest.mark.parametrize(
    ("sample", "family"),
    [(name, {"pony": "sdxl", "flux1-diffusers": "flux1"}.get(name, name)) for name in LORAS],
)
def test_families_of_the_samples(sample: str, family: str) -> None:
    assert is_adapter(LORAS[sample])
    assert family_of_tensors(LORAS[sample]) == family


@pytest.mark.parametrize(
    ("shapes", "family"),
    [
        ({f"{UNET}.lora_down.weight": (4, 768)}, "sd1"),
        ({f"{UNET}.lora_down.weight": (4, 1024)}, "sd2"),
        ({f"{XL}.lora_down.weight": (4, 2048)}, "sdxl"),
        ({f"{UNET}.hada_w1_b": (4, 768)}, "sd1"),
        ({f"{UNET}.diff": (320, 768)}, "sd1"),
        ({f"{UNET}.lokr_w1": (16, 32), f"{UNET}.lokr_w2": (20, 24)}, "sd1"),
        (
            {f"{XL}.lokr_w1": (16, 32), f"{XL}.lokr_w2_a": (20, 4), f"{XL}.lokr_w2_b": (4, 64)},
            "sdxl",
        ),
        (
            {
                "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k.lora_A.weight": (
                    4,
                    2048,
                )
            },
            "sdxl",
        ),
        (
            {
                "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k.lora.down.weight": (  # noqa: E501
                    4,
                    768,
                )
            },
            "sd1",
        ),
        (
            {
                "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn2.processor.to_k_lora.down.weight": (  # noqa: E501
                    4,
                    768,
                )
            },
            "sd1",
        ),
        (
            {
                "lora_unet_input_blocks_7_1_transformer_blocks_9_attn1_to_q.lora_down.weight": (
                    4,
                    1280,
                )
            },
            "sdxl",
        ),
        ({"lora_te2_text_model_encoder_layers_0_mlp_fc1.lora_down.weight": (4, 1280)}, "sdxl"),
        ({"lora_te_text_model_encoder_layers_0_mlp_fc1.lora_down.weight": (4, 768)}, "sd1"),
        (
            {"lora_te_text_model_encoder_layers_0_self_attn_q_proj.lora_down.weight": (4, 1024)},
            "sd2",
        ),
        ({"lora_unet_down_blocks_0_resnets_0_conv1.lora_down.weight": (4, 320, 3, 3)}, UNKNOWN),
        (
            {"lora_unet_joint_blocks_0_x_block_attn2_qkv.lora_down.weight": (4, 1536)},
            "sd3.5-medium",
        ),
        ({"transformer.transformer_blocks.0.attn.add_k_proj.lora_A.weight": (4, 1536)}, "sd3"),
        (
            {
                "transformer.single_transformer_blocks.0.attn.to_k.lora_A.weight": (4, 3072),
                "transformer.transformer_blocks.0.ff_context.net.2.lora_A.weight": (4, 3072),
            },
            "flux1",
        ),
        ({"lora_unet_double_blocks_0_img_attn_qkv.lora_down.weight": (4, 4096)}, "flux2-klein-9b"),
        (
            {
                "diffusion_model.double_stream_modulation_img.lin.lora_A.weight": (4, 4),
                "single_blocks.0.x": (1, 1),
            },
            "flux2",
        ),
        (
            {
                "transformer.single_stream_modulation.linear.lora_A.weight": (4, 6144),
                "transformer.single_transformer_blocks.0.attn.to_qkv_mlp_proj.lora_A.weight": (
                    4,
                    6144,
                ),
            },
            "flux2",
        ),
        (
            {"diffusion_model.single_blocks.0.modulation.linear.lora_A.weight": (4, 3072)},
            "hunyuan-video",
        ),
        ({"diffusion_model.blocks.0.cross_attn.q_proj.lora_A.weight": (4, 2048)}, UNKNOWN),
        ({"transformer.joint_transformer_blocks.0.attn.to_q.lora_A.weight": (4, 3072)}, "auraflow"),
        (
            {"diffusion_model.double_stream_blocks.0.block.attn1.to_q.lora_A.weight": (4, 2560)},
            "hidream",
        ),
        ({"diffusion_model.double_blocks.0.img_mlp.fc1.lora_A.weight": (4, 3072)}, "hunyuan-video"),
        (
            {"diffusion_model.distilled_guidance_layer.layers.0.in_layer.lora_A.weight": (4, 5120)},
            "chroma",
        ),
        ({"diffusion_model.layers.0.attention.to_q.lora_A.weight": (4, 3840)}, "z-image-turbo"),
        ({"lora_unet_layers_0_attention_qkv.lora_down.weight": (4, 2304)}, "lumina"),
        ({}, UNKNOWN),
    ],
)
def test_families_by_names_and_shapes(shapes: dict[str, tuple[int, ...]], family: str) -> None:
    assert family_of_tensors(shapes) == family


PIECES = st.sampled_from(
    [
        "lora_unet_",
        "down_blocks_1",
        "attn2_to_k",
        ".lora_down.weight",
        ".lokr_w2",
        ".lokr_w1",
        "double_blocks_0",
        "layers.0.attention",
        "x",
    ]
)


@given(
    st.dictionaries(
        st.lists(PIECES, max_size=4).map("".join),
        st.lists(st.integers(0, 4096), max_size=3).map(tuple),
    )
)
def test_any_names_and_shapes_give_a_known_family_or_none(
    shapes: dict[str, tuple[int, ...]],
) -> None:
    assert family_of_tensors(shapes) in (*known_families(), UNKNOWN)

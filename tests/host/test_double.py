"""The double against a real host's source, where STYLUS_WEBUI_DIR names one: signatures, names of
hooks, the order of calls.
"""

from __future__ import annotations

import ast
import inspect
import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.host.double import processing, webui
from tests.host.double.processing import HOOKS
from tests.host.double.webui import Host

VARIABLE = "STYLUS_WEBUI_DIR"


@pytest.fixture(scope="module")
def source() -> Path:
    stated = os.environ.get(VARIABLE)
    if not stated or not (Path(stated) / "modules" / "processing.py").is_file():
        pytest.skip(f"{VARIABLE} names no WebUI")
    return Path(stated)


def tree(source: Path, file: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the host's own escapes
        return ast.parse((source / file).read_text("utf-8"))


def lora_folder(source: Path) -> str:
    builtin = source / "extensions-builtin"
    return next(
        f"extensions-builtin/{name}"
        for name in ("Lora", "sd_forge_lora")
        if (builtin / name).is_dir()
    )


def functions(module: ast.AST) -> dict[str, ast.FunctionDef]:
    return {node.name: node for node in ast.walk(module) if isinstance(node, ast.FunctionDef)}


def class_of(module: ast.AST, name: str) -> ast.ClassDef:
    return next(
        node for node in ast.walk(module) if isinstance(node, ast.ClassDef) and node.name == name
    )


def calls(function: ast.FunctionDef) -> Iterator[str]:
    """Names of what is called, in the order of the text."""
    found = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
    for node in sorted(found, key=lambda node: (node.lineno, node.col_offset)):
        if isinstance(node.func, ast.Attribute):
            yield node.func.attr
        elif isinstance(node.func, ast.Name):
            yield node.func.id


def order(function: ast.FunctionDef, wanted: list[str]) -> list[str]:
    return list(dict.fromkeys(name for name in calls(function) if name in wanted))


def test_every_hook_of_ours_is_one_of_the_hosts(source: Path) -> None:
    methods = functions(class_of(tree(source, "modules/scripts.py"), "Script"))
    for hook in (*HOOKS, "title", "show", "ui", "after_component", "on_after_component"):
        assert hook in methods, hook
        names = [argument.arg for argument in methods[hook].args.args]
        assert names[:2] == ["self", "p"] or hook not in HOOKS
    assert methods["before_process_batch"].args.kwarg is not None
    assert [argument.arg for argument in methods["postprocess_image"].args.args] == [
        "self",
        "p",
        "pp",
    ]


def test_our_script_overrides_nothing_else(source: Path) -> None:
    ours = class_of(
        ast.parse((webui.ROOT / "stylus_ext/host/script.py").read_text("utf-8")), "StylusScript"
    )
    theirs = functions(class_of(tree(source, "modules/scripts.py"), "Script"))
    assert {node.name for node in ours.body if isinstance(node, ast.FunctionDef)} <= set(theirs)


def test_the_order_of_a_generation(source: Path) -> None:
    module = functions(tree(source, "modules/processing.py"))
    wanted = [
        "setup_prompts",
        "process",
        "init",
        "before_process_batch",
        "parse_extra_network_prompts",
        "process_batch",
        "setup_conds",
        "sample",
        "postprocess_batch",
        "postprocess_image",
    ]
    assert (
        order(module["process_images_inner"], [name for name in wanted if name != "postprocess"])
        == wanted
    )
    assert order(module["process_images"], ["before_process", "process_images_inner"]) == [
        "before_process",
        "process_images_inner",
    ]


def test_the_doubles_order_is_the_same() -> None:
    module = functions(ast.parse(inspect.getsource(processing)))
    assert order(module["process_images_inner"], ["setup_prompts", "init", "_batch"]) == [
        "setup_prompts",
        "init",
        "_batch",
    ]
    said = [
        node.value
        for node in ast.walk(module["_batch"])
        if isinstance(node, ast.Constant) and node.value in HOOKS
    ]
    assert said == [
        "before_process_batch",
        "process_batch",
        "postprocess_batch",
        "postprocess_image",
    ]


def test_lists_are_filled_before_process_and_sliced_for_each_batch(source: Path) -> None:
    text = (source / "modules/processing.py").read_text("utf-8")
    for name in (
        "all_prompts",
        "all_negative_prompts",
        "main_prompt",
        "main_negative_prompt",
        "all_hr_prompts",
        "all_hr_negative_prompts",
    ):
        assert f"self.{name} = " in text
    assert text.count("p.prompts = p.all_prompts[n * p.batch_size:(n + 1) * p.batch_size]") == 2
    assert (
        "self.all_hr_prompts[self.iteration * self.batch_size:(self.iteration + 1) *"
        " self.batch_size]" in text
    )


def test_attributes_of_p_that_we_read_or_write(source: Path) -> None:
    text = (source / "modules/processing.py").read_text("utf-8")
    fields = (
        "batch_size",
        "n_iter",
        "all_seeds",
        "extra_generation_params",
        "disable_extra_networks",
        "is_api",
        "iteration",
        "batch_index",
        "enable_hr",
        "init_images",
        "image_mask",
        "latent_mask",
        "firstpass_image",
        "comments",
    )
    for name in fields:
        assert f"{name}:" in text or f".{name} =" in text or f" {name} =" in text, name
    assert "def comment(self, text)" in text
    assert "txt2img_upscale" in (source / "modules/txt2img.py").read_text("utf-8")


def test_only_the_first_prompts_networks_count(source: Path) -> None:
    text = ast.unparse(functions(tree(source, "modules/extra_networks.py"))["parse_prompts"])
    assert "if extra_data is None" in text


def test_the_host_passes_the_keywords_that_the_double_passes(source: Path) -> None:
    text = (source / "modules/processing.py").read_text("utf-8")
    assert (
        "p.scripts.before_process_batch(p, batch_number=n, prompts=p.prompts, seeds=p.seeds,"
        " subseeds=p.subseeds)" in text
    )


def test_the_built_in_extension_has_the_tables_that_we_look_into(source: Path) -> None:
    text = (source / lora_folder(source) / "networks.py").read_text("utf-8")
    for name in ("available_networks", "available_network_aliases", "forbidden_network_aliases"):
        assert f"{name} = {{}}" in text


def test_hashes_are_written_and_never_taken_away(source: Path) -> None:
    text = (source / lora_folder(source) / "extra_networks_lora.py").read_text("utf-8")
    assert "Lora hashes" in text
    assert "pop(" not in text


def test_callbacks_options_and_the_grid(source: Path) -> None:
    callbacks = functions(tree(source, "modules/script_callbacks.py"))
    for name in (
        "on_ui_settings",
        "on_before_ui",
        "on_ui_tabs",
        "on_app_started",
        "on_image_grid",
        "on_script_unloaded",
    ):
        assert name in callbacks
    made = functions(class_of(tree(source, "modules/options.py"), "OptionInfo"))["__init__"]
    names = [argument.arg for argument in made.args.args]
    assert names[1:5] == ["default", "label", "component", "component_args"]
    assert "restrict_api" in names
    assert "info" in functions(class_of(tree(source, "modules/options.py"), "OptionInfo"))
    heading = functions(class_of(tree(source, "modules/options.py"), "OptionHTML"))["__init__"]
    assert [argument.arg for argument in heading.args.args] == ["self", "text"]
    assert "image_grid_callback" in (source / "modules/images.py").read_text("utf-8")


def test_the_page_has_what_we_stand_on(source: Path) -> None:
    accordion = functions(class_of(tree(source, "modules/ui_components.py"), "InputAccordion"))[
        "__init__"
    ]
    assert [argument.arg for argument in accordion.args.args] == ["self", "value"]
    text = (source / "modules/ui_common.py").read_text("utf-8")
    assert "elem_id=f'generation_info_{tabname}'" in text
    pages = "".join(
        (source / "modules" / name).read_text("utf-8") for name in ("ui.py", "ui_toprow.py")
    )
    assert "_prompt" in pages


def test_infotexts_are_read_and_written_alike(source: Path) -> None:
    text = (source / "modules/infotext_utils.py").read_text("utf-8")
    assert r"""re_param_code = r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)'""" in text
    quote = ast.unparse(functions(tree(source, "modules/infotext_utils.py"))["quote"])
    assert "json.dumps(text, ensure_ascii=False)" in quote


def test_a_paste_asks_functions_and_names(source: Path) -> None:
    """One object of ours is both: called on a paste, found by its name for "send to"."""
    text = (source / "modules/infotext_utils.py").read_text("utf-8")
    assert "if callable(key):" in text
    assert "if name in paste_field_names" in text


def test_the_grid_script_copies_p_and_shares_its_dictionaries(source: Path) -> None:
    text = (source / "scripts/xyz_grid.py").read_text("utf-8")
    assert "pc = copy(p)" in text
    assert "class AxisOption" in text


def test_the_state_that_we_poll(source: Path) -> None:
    text = (source / "modules/shared_state.py").read_text("utf-8")
    for name in ("interrupted", "stopping_generation", "textinfo"):
        assert name in text


def test_the_interrogators_are_as_we_call_them(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Host(tmp_path, monkeypatch)
    from stylus_ext.host.interrogators import BLIP_WEIGHTS, DEEPBOORU_WEIGHTS

    blip = (source / "modules/interrogate.py").read_text("utf-8")
    assert BLIP_WEIGHTS.url in blip
    for name in ("def load_blip_model(self)", "def generate_caption(self, pil_image)"):
        assert name in blip
    booru = (source / "modules/deepbooru.py").read_text("utf-8")
    assert DEEPBOORU_WEIGHTS.url in booru
    assert "def tag_multi(self, pil_image, force_disable_ranks=False)" in booru
    assert "queue_lock = fifo_lock.FIFOLock()" in (source / "modules/call_queue.py").read_text()

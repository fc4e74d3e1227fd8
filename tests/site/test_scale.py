"""The arithmetic of the page on scale, held against what torch counts; and the page itself."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from gallery.errors import SiteError
from gallery.site.pages.scale import FIGURES, scale_page, size, time
from gallery.store.entries import Store
from gallery.store.manifest import read_header, read_rows
from tests.benchmarks.paper import forward_flops, paper
from tests.support.galleries import make_gallery, run

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("tokens", [32, 256])
def test_the_work_of_a_forward_pass_is_what_torch_counts(tokens: int) -> None:
    import torch
    from torch.utils.flop_counter import FlopCounterMode
    from transformers import BertConfig, BertModel

    config = BertConfig(hidden_size=64, intermediate_size=256, num_hidden_layers=3, num_attention_heads=4, vocab_size=100, attn_implementation="eager")
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        BertModel(config, add_pooling_layer=False)(torch.ones(1, tokens, dtype=torch.long))
    assert counter.get_total_flops() == forward_flops(3, 64, tokens)


def test_sizes_and_times_have_units_that_fit() -> None:
    assert [size("en", value) for value in (1_500, 4_850_000, 72e9, 7.2e15)] == ["1.5\u00a0kB", "4.8\u00a0MB", "72\u00a0GB", "7.2\u00a0PB"]
    assert [time("ru", value) for value in (0.5, 130, 7300, 10_900_000)] == ["0,5\u00a0с", "2,2\u00a0мин", "2,0\u00a0ч", "126\u00a0суток"]


def test_the_page_shows_what_the_benchmark_wrote(tiny: Callable[[str], Path], tmp_path: Path) -> None:
    config = make_gallery(tmp_path, tiny("bert"))
    assert run(config, "explain").exit_code == 0
    store = Store(tmp_path / "store")
    row = {"passages": 10_000, "seconds": 123.0, "processor_s": 250.0, "peak_mb": 321.0, "bytes": 900_000_000, "kinds": {"pages": 800_000_000}}
    figures = {
        "pages": [row | {"incremental_s": 17.0, "incremental_processor_s": 16.0}],
        "cores": 2,
        "paper": paper(store, read_header(store), list(read_rows(store))),
    }
    explained = {"explained": {"passages": 1000, "longest": 240, "bare_s": 1800.0, "seconds": 2000.0}, "throughput_share": 0.9}
    spread = {"ray_ratio": 0.95, "ray_same_digest": True}
    shutil.copyfile(ROOT / "gallery" / "documents" / "ru" / "scale.md", tmp_path / "site_src" / "scale.md")
    sites = ("321\u00a0МБ", "25&nbsp;мс", "17\u00a0с", "80\u00a0кБ", "BERT-large", "100 × 8 H100")
    whole, rays = ("по 2,0\u00a0с на отрывок", "занимают 90\u00a0%"), ("95\u00a0%",)
    for more, there, absent in (({}, sites, whole + rays), (explained, sites + whole, rays), (explained | spread, sites + whole + rays, ())):
        (tmp_path / "site_src" / "scale.json").write_text(json.dumps(figures | more), "utf-8")
        result = run(config, "render")
        assert result.exit_code == 0, result.output
        page = (tmp_path / "site" / "scale" / "index.html").read_text("utf-8")
        for shown in there:
            assert shown in page, shown
        for hidden in (*absent, "<!-- gallery"):
            assert hidden not in page, hidden


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"pages": []}, "pages: List should have at least 1 item"),
        ({"cores": "two"}, "cores: Input should be a valid integer"),
        ({"paper": None}, "paper: "),
        ({"pages": [{"passages": 0}]}, "pages.0.passages: "),
        ({"explained": {"passages": 1000, "longest": 240, "seconds": -1}}, "explained.seconds: "),
        ({"explained": {"passages": 1000, "longest": 240, "seconds": 20}}, "incomplete: "),
    ],
)
def test_figures_that_the_benchmark_would_not_write_are_one_message(tmp_path: Path, change: dict[str, object], problem: str) -> None:
    figures = json.loads((ROOT / "gallery" / "documents" / FIGURES).read_text("utf-8"))
    (tmp_path / FIGURES).write_text(json.dumps(figures), "utf-8")
    assert len(scale_page("en", tmp_path)[0].slots) == 4
    figures.pop("throughput_share", None)
    (tmp_path / FIGURES).write_text(json.dumps(figures | change), "utf-8")
    with pytest.raises(SiteError) as raised:
        scale_page("en", tmp_path)
    message = raised.value.format_message()
    assert message.startswith(f"{tmp_path / FIGURES}: {problem}")
    assert message.endswith("Run: python tests/benchmarks/scale.py, or remove the file.")
    assert "\n" not in message


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"7"])
def test_a_file_that_is_no_json_object_is_one_message(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FIGURES).write_bytes(content)
    with pytest.raises(SiteError, match=r"scale\.json: .*Run: python tests/benchmarks/scale\.py, or remove the file\.$"):
        scale_page("en", tmp_path)


def test_a_gallery_without_figures_has_no_such_page(tmp_path: Path) -> None:
    assert scale_page("en", tmp_path) == []


def test_a_build_with_malformed_figures_ends_with_the_message_and_keeps_the_old_site(tiny: Callable[[str], Path], tmp_path: Path) -> None:
    config = make_gallery(tmp_path, tiny("bert"))
    assert run(config).exit_code == 0
    (tmp_path / "site_src" / FIGURES).write_text("[]", "utf-8")
    result = run(config, "render")
    assert result.exit_code == 1
    assert "scale.json: must be a JSON object, not a list" in result.output
    assert (tmp_path / "site" / "index.html").exists()

"""The attention explorer beside bertviz, on the same tensors in one run: bytes, fidelity, and time in Chromium.

    python tests/benchmarks/attention.py [--model DIR] [--json FILE]

bertviz's HTML is really made: whole up to 256 tokens, layer by layer at 510, where all at once would take some 10 GB (that
layers add up to the whole is checked at 128). It is opened in the browser at 24 and 64 tokens only.
"""

import argparse
import functools
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import mkdocs
import mpld3
import numpy as np
import torch
from bertviz import model_view
from playwright.sync_api import Page, sync_playwright
from rich.console import Console
from rich.table import Table

import gallery
from gallery.attention.capture import attend
from gallery.attention.encoding import Reader, attention_files
from gallery.config import AttentionSettings, Settings
from gallery.model.classifier import Classifier
from gallery.model.loading import load_classifier
from gallery.model.tokenized import Tokenized
from gallery.passages.front_matter import read_markdown
from gallery.site.templates import environment
from gallery.sources.resolve import resolve_model, resolve_tokenizer

ROOT = Path(gallery.__file__).parents[1]
TEXT = ROOT / "site_src" / "passages" / "saltykov-diary-sisters.md"
LENGTHS = (24, 64, 128, 256, 510)
PAGE = '<!doctype html><html lang="ru"><head><meta charset="utf-8"><link rel="icon" href="data:,">{}</head><body>{}</body></html>'
OURS = '<link rel="stylesheet" href="/static/attention.css"><script type="module" src="/static/gallery.js"></script>'
THEIRS = '<script src="/jquery.js"></script><script src="/d3.js"></script><script src="/static/require.js"></script>'
CLOCK = """
window.pictures = [];
new PerformanceObserver((list) => window.pictures.push(...list.getEntries().map((entry) => entry.startTime)))
  .observe({ type: "largest-contentful-paint", buffered: true });
// A task queued in a frame runs when that frame's style, layout and paint are done.
window.frame = (act) => new Promise((done) => requestAnimationFrame(() => {
  const start = performance.now();
  act();
  const channel = new MessageChannel();
  channel.port1.onmessage = () => done(performance.now() - start);
  channel.port2.postMessage(0);
}));
window.settled = async () => {
  const element = document.querySelector("gallery-attention");
  while (element.hasAttribute("aria-busy")) await new Promise((done) => setTimeout(done));
  await window.frame(() => {});
};
"""
Figures = dict[str, float]


@dataclass(frozen=True)
class Passage:
    """One excerpt: what we publish of it, and what its attention is by transformers' own eager attention."""

    tokenized: Tokenized
    files: dict[str, bytes]
    weights: list[torch.Tensor]
    """One [1, heads, T, T] a layer."""
    page: str

    @property
    def payload(self) -> int:
        return sum(len(content) for content in self.files.values())


def load(folder: str | Path) -> Classifier:
    """Return the classifier of a folder."""
    path = Path(folder).resolve()
    source = (path.name, path.parent)
    return load_classifier(resolve_model(*source), resolve_tokenizer(*source), Settings(model=path.name))


def demo_text(classifier: Classifier, tokens: int) -> Tokenized:
    """Return the beginning of the longest demo passage, so many tokens with the special ones."""
    ((_, passage),) = read_markdown(TEXT, TEXT.name)
    assert isinstance(passage, dict)
    text = passage["text"].strip()
    offsets = classifier.tokenize(text).offsets
    tokenized = classifier.tokenize(text[: offsets[tokens - 2][1]])
    assert len(tokenized.ids) == tokens, (len(tokenized.ids), tokens)
    return tokenized


def excerpt(classifier: Classifier, tokens: int) -> Passage:
    """Return an excerpt, explained and published."""
    tokenized = demo_text(classifier, tokens)
    (record,) = attend(classifier, [tokenized], AttentionSettings())
    (prediction,) = classifier.predict([tokenized])
    classifier.model.set_attn_implementation("eager")
    with torch.no_grad():
        weights = [layer.cpu() for layer in classifier.model(**classifier.batch([tokenized.ids]), output_attentions=True).attentions]
    classifier.model.set_attn_implementation("sdpa")
    folder = f"/{tokens}/"
    fragment = (
        environment("ru").get_template("attention.html").render(prediction=prediction, attention=record, data_url=folder, picture_url=f"{folder}heads.png")
    )
    return Passage(tokenized, attention_files(prediction, record), weights, PAGE.format(OURS, fragment))


EXPLAIN = """
import resource, sys
sys.path.insert(0, "tests/benchmarks")
from attention import demo_text, load
from gallery.attention.capture import attend
from gallery.config import AttentionSettings

classifier = load(sys.argv[1])
tokenized = demo_text(classifier, int(sys.argv[2]))
classifier.predict([tokenized])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
attend(classifier, [tokenized], AttentionSettings())
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


def explain_mb(folder: Path, tokens: int) -> float:
    """Return the megabytes that taking a passage's attention needs above the model that has just read it, in a process of its own."""
    command = [sys.executable, "-c", EXPLAIN, str(folder), str(tokens)]
    return float(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT).stdout.split()[-1])


def fidelity(passage: Passage) -> tuple[float, float]:
    """Return median and 99th percentile of the relative error of weights above a quarter of uniform, of all layers."""
    reader = Reader(passage.files)
    errors = []
    for number, layer in enumerate(passage.weights):
        exact = layer[0].double().numpy()
        counted = exact > 0.25 / exact.shape[-1]
        errors.append((np.abs(reader.weights(number) - exact)[counted] / exact[counted]).astype(np.float32))
    together = np.concatenate(errors)
    return float(np.median(together)), float(np.percentile(together, 99))


def bertviz_html(passage: Passage, layers: Sequence[int] | None = None) -> str:
    """Return bertviz's model_view of all layers, or of some."""
    return str(model_view(passage.weights, list(passage.tokenized.tokens), include_layers=layers, html_action="return").data)


def bertviz_bytes_by_layer(passage: Passage) -> int:
    """Return the length of bertviz's HTML of all layers, made one layer at a time."""
    alone = [len(bertviz_html(passage, [layer])) for layer in range(len(passage.weights))]
    pair = len(bertviz_html(passage, [0, 1]))
    frame = alone[0] + alone[1] - pair  # what is there once, however many layers
    return sum(alone) - (len(alone) - 1) * frame


def publish(folder: Path, passages: dict[int, Passage]) -> None:
    """Lay pages, data and the libraries of both out in a folder."""
    (folder / "static").symlink_to(ROOT / "gallery" / "static")
    shutil.copy(next(Path(mkdocs.__file__).parent.rglob("jquery*.min.js")), folder / "jquery.js")
    shutil.copy(next(Path(mpld3.__file__).parent.rglob("d3.v5.min.js")), folder / "d3.js")
    for tokens, passage in passages.items():
        (folder / str(tokens)).mkdir()
        for name, content in passage.files.items():
            (folder / str(tokens) / name).write_bytes(content)
        (folder / f"{tokens}.html").write_text(passage.page, "utf-8")
        if tokens <= 64:
            (folder / f"bertviz-{tokens}.html").write_text(PAGE.format(THEIRS, bertviz_html(passage)), "utf-8")


def serve(folder: Path) -> tuple[ThreadingHTTPServer, str]:
    """Serve a folder on this machine."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, f"http://127.0.0.1:{server.server_port}"


def drawn_ours(page: Page, address: str) -> float:
    """Return milliseconds from navigation until picture, controls and the lit text are there."""
    page.goto(address, wait_until="commit")
    page.wait_for_selector("gallery-attention[data-ready]", state="attached", timeout=60_000)
    return float(page.evaluate("async () => { await window.settled(); return performance.now(); }"))


def drawn_theirs(page: Page, address: str) -> float:
    """Return milliseconds from navigation until bertviz's lines are there and no more come."""
    page.goto(address, wait_until="commit", timeout=120_000)
    page.wait_for_function("document.querySelectorAll('svg line').length > 0", polling=50, timeout=240_000)
    return float(
        page.evaluate(
            """async () => {
              let count = -1, last = 0;
              for (;;) {
                const now = document.querySelectorAll("svg line").length;
                if (now === count && performance.now() - last > 300) return last;
                if (now !== count) { count = now; await window.frame(() => {}); last = performance.now(); }
                await new Promise((done) => setTimeout(done, 20));
              }
            }"""
        )
    )


def open_page(browser: Any) -> Page:
    """Open an empty page with our clock in it."""
    page: Page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.add_init_script(CLOCK)
    return page


def at_full_length(browser: Any, address: str, heads: int) -> Figures:
    """Measure the page of the longest passage."""
    first, opened = [], []
    for _ in range(5):
        page = open_page(browser)
        page.goto(address)
        page.wait_for_selector("gallery-attention[data-ready]")
        first.append(page.evaluate("window.pictures.at(-1)"))
        opened += page.evaluate(
            """async () => {
              const times = [];
              for (const layer of [2, 5, 8]) {
                const start = performance.now();
                document.querySelector(`[data-head="${layer}.0"]`).click();
                await window.settled();
                times.push(performance.now() - start);
              }
              return times;
            }"""
        )
        if _ < 4:
            page.close()
    moves = {}
    for view in ("reading", "map"):
        moves[view] = page.evaluate(
            """async ([view, heads]) => {
              document.querySelector(`input[name="attention-view"][value="${view}"]`).click();
              await window.settled();
              const times = [];
              for (let head = 1; head < heads; head++) {
                const start = performance.now();
                document.querySelector(`[data-head="${view === "map" ? 2 : 5}.${head}"]`).click();
                await window.settled();
                times.push(performance.now() - start);
              }
              return times;
            }""",
            [view, heads],
        )
    hovers = page.evaluate(
        """async () => {
          document.querySelector('input[name="attention-view"][value="reading"]').click();
          await window.settled();
          const words = [...document.querySelectorAll(".passage .unit")];
          words[0].closest(".passage").scrollIntoView();
          const times = [];
          for (const word of words.slice(0, 120)) {
            times.push(await window.frame(() => word.dispatchEvent(new PointerEvent("pointerover", { bubbles: true, pointerType: "mouse" }))));
          }
          return times;
        }"""
    )
    page.evaluate(
        """async () => {
          for (let layer = 0; layer < 12; layer++) {
            document.querySelector(`[data-head="${layer}.1"]`)?.click();
            await window.settled();
          }
        }"""
    )
    session = page.context.new_cdp_session(page)
    usage = session.send("Runtime.getHeapUsage")
    page.close()
    return {
        "first_picture_ms": statistics.median(first),
        "layer_open_ms": statistics.median(opened),
        "head_move_ms": statistics.median(moves["reading"] + moves["map"]),
        "hover_ms": statistics.median(hovers),
        # Typed arrays lie outside the JavaScript heap proper; they are counted, and no garbage is collected first.
        "heap_mb": (usage["usedSize"] + usage.get("backingStorageSize", 0)) / 2**20,
    }


def measure(classifier: Classifier, console: Console) -> tuple[Figures, Table]:
    """Return the figures, and a table of all lengths."""
    passages = {tokens: excerpt(classifier, tokens) for tokens in LENGTHS}
    console.print("passages explained; making bertviz's HTML", style="dim")
    theirs = {tokens: len(bertviz_html(passages[tokens])) for tokens in LENGTHS[:-1]}
    by_layer = bertviz_bytes_by_layer(passages[128])
    assert abs(by_layer - theirs[128]) < 1e-3 * theirs[128], (by_layer, theirs[128])
    theirs[510] = bertviz_bytes_by_layer(passages[510])
    median, p99 = fidelity(passages[510])
    figures: Figures = {
        "payload_bytes_510": passages[510].payload,
        "payload_growth": passages[510].payload / passages[256].payload,
        "median_relative_error": median,
        "p99_relative_error": p99,
    } | {f"bertviz_ratio_{tokens}": theirs[tokens] / passages[tokens].payload for tokens in (128, 256, 510)}
    drawn: dict[int, tuple[float, float]] = {}
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        publish(Path(name), passages)
        server, address = serve(Path(name))
        path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        console.print("pages laid out; measuring in Chromium", style="dim")
        drawn_ours(open_page(browser), f"{address}/24.html")  # the first page of a browser pays for the browser
        figures |= at_full_length(browser, f"{address}/510.html", classifier.card.heads)
        for tokens in (24, 64):
            ours = [drawn_ours(open_page(browser), f"{address}/{tokens}.html") for _ in range(5)]
            other = [drawn_theirs(open_page(browser), f"{address}/bertviz-{tokens}.html") for _ in range(3)]
            drawn[tokens] = statistics.median(ours), statistics.median(other)
            figures[f"drawn_ratio_{tokens}"] = drawn[tokens][1] / drawn[tokens][0]
        browser.close()
        server.shutdown()
        server.server_close()
    table = Table("tokens", "ours, MB", "bertviz, MB", "times smaller", "ours drawn, ms", "bertviz drawn, ms", title="the explorer beside bertviz's model_view")
    for tokens in LENGTHS:
        mine, other_bytes = passages[tokens].payload, theirs[tokens]
        times = [f"{value:,.0f}" for value in drawn[tokens]] if tokens in drawn else ["", ""]
        table.add_row(str(tokens), f"{mine / 1e6:.2f}", f"{other_bytes / 1e6:,.1f}", f"{other_bytes / mine:,.0f}", *times)
    return figures, table


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=ROOT / "gallery" / "demo" / "classifier", help="folder of a classifier and its tokenizer")
    parser.add_argument("--json", type=Path, help="file that the figures are written to")
    options = parser.parse_args()
    classifier = load(options.model)
    console = Console()
    figures, table = measure(classifier, console)
    if sys.platform == "linux":  # elsewhere ru_maxrss has another unit
        figures["explain_mb_510"] = explain_mb(options.model.resolve(), LENGTHS[-1])
    console.print(table)
    report = Table("figure", "value", title=f"{classifier.card.layers} layers, {classifier.card.heads} heads, hidden {classifier.card.hidden}")
    for name, value in figures.items():
        report.add_row(name, f"{value:,.4g}" if value < 1e4 else f"{value:,.0f}")
    console.print(report)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()

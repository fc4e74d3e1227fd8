"""A gallery of strings that try to be more than text, looked at in a real browser: each must be shown as it is, and none run.

    python -m tests.faults.strings --json strings.json

Every string of strings.txt stands in a passage, and in turn in titles, works, notes, sources, names of authors, of the model, of
tokens and in its figures. As an id, an address or the name of a model each must be refused. What counts as run: a dialog, a
script's exception, a violation of the page's policy, a request to another host, an element that no template of ours has made.
"""

import argparse
import json
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("strings.txt")
TOKENS = 512

_PER_PASSAGE = 60
_STRANGE = """() => {
  const made = ['SCRIPT', 'OBJECT', 'EMBED', 'MARQUEE', 'VIDEO', 'AUDIO', 'BASE', 'LINK', 'META', 'STYLE', 'MATH'];
  const runs = (attribute) => attribute.name.startsWith('on') || /^\\s*(javascript|data):/i.test(attribute.value);
  const found = [...document.querySelectorAll('article *')].filter((e) => made.includes(e.tagName) || [...e.attributes].some(runs));
  return found.map((e) => e.outerHTML.slice(0, 200));
}"""
_PASSAGE = """() => { const text = document.querySelector('.g-text').cloneNode(true);
text.querySelectorAll('.g-unread > strong').forEach((note) => note.remove()); return text.textContent; }"""


def strings() -> list[str]:
    """Return the strings, each once."""
    lines = [line for line in FILE.read_text("utf-8").split("\n") if line and not line.startswith("%% ")]
    return [re.sub(r"\\u\{([0-9a-f]+)\}", lambda match: chr(int(match[1], 16)), line) for line in lines]


def main() -> None:
    """Build the gallery, look at it, and write the figures."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--every", type=int, default=1, help="Take only every n-th string.")
    arguments.add_argument("--json", type=Path)
    asked = arguments.parse_args()
    from playwright.sync_api import sync_playwright

    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory(prefix="strings-") as room, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"])
        figures = run(Path(room), strings()[:: asked.every], browser)
        browser.close()
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", "utf-8")
    raise SystemExit(bool(figures["strings_executed"] or figures["not_shown"] or figures["not_refused"]))


def run(room: Path, tried: Sequence[str], browser: Any) -> dict[str, object]:
    """Return how many strings were tried, and what ran, was not shown as it is, or was taken for a name."""
    gallery = build(room, tried)
    with served(gallery / "site") as address:
        ran, hidden = look(address, gallery, browser)
    taken = taken_for_names(room, tried)
    for problem in (*ran, *hidden, *taken):
        print(problem, flush=True)
    print(f"{len(tried)} strings: {len(ran)} ran, {len(hidden)} not shown as they are, {len(taken)} taken for names", flush=True)
    return {"strings": len(tried), "strings_executed": len(ran), "not_shown": hidden, "not_refused": taken, "executed": ran}


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder on this machine; give its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


def build(room: Path, tried: Sequence[str]) -> Path:
    """Write and build the gallery of the strings; return its folder."""
    from tests.support.galleries import run as command

    model = _model(room, tried)
    folder = room / "gallery"
    (folder / "site_src").mkdir(parents=True)
    (folder / "site_src" / "index.md").write_text("# Strings\n\n<!-- gallery:index -->\n", "utf-8")
    (folder / "site_src" / "how-to-read.md").write_text("# How to read\n\n## Attention {#attention}\n", "utf-8")
    (folder / "mkdocs.yml").write_text(
        "site_name: Strings\nsite_url: https://example.org/\ntheme: {name: material, language: en, font: false}\nmarkdown_extensions: [attr_list]\n"
        f"extra:\n  gallery:\n    model: {json.dumps(str(model))}\n    passages: [strings.jsonl]\n    methods: [gradient_x_input]\n"
        "    random_orders: 2\n    bertviz_tokens: 16\n",
        "utf-8",
    )
    labels = _labels(tried)
    sources = [string for string in tried if not _refused_as_source(string)]
    with (folder / "strings.jsonl").open("w", encoding="utf-8") as stream:
        for number in range(0, len(tried), _PER_PASSAGE):
            part = tried[number : number + _PER_PASSAGE]
            other = (number // _PER_PASSAGE) * 3
            row = {
                "id": f"strings-{number}",
                "true_class": labels[number // _PER_PASSAGE % len(labels)],
                "title": " ".join(part[:20]),
                "work": " ".join(part[20:40]),
                "note": " ".join(part[40:]),
                "source": " ".join(sources[other : other + 3]),
                "text": "\n\n".join(part),
            }
            stream.write(json.dumps(row) + "\n")
    built = command(folder / "mkdocs.yml")
    assert built.exit_code == 0, built.output
    return folder


def look(address: str, gallery: Path, browser: Any) -> tuple[list[str], list[str]]:
    """Open every page, its frames and its attention; return what ran, and what is not shown as it is."""
    rows = [json.loads(line) for line in (gallery / "strings.jsonl").read_text("utf-8").splitlines()]
    ran: list[str] = []
    hidden: list[str] = []
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(120_000)
    context.add_init_script("addEventListener('securitypolicyviolation', (e) => console.error(`policy: ${e.violatedDirective} ${e.blockedURI} ${e.sample}`))")

    def route(handler: Any) -> None:
        if handler.request.url.startswith(address):
            handler.continue_()
        else:
            ran.append(f"asked another host: {handler.request.url}")
            handler.abort()

    context.route(lambda url: url.startswith(("http", "ftp")), route)
    page = context.new_page()
    page.on("dialog", lambda dialog: (ran.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    page.on("console", lambda message: ran.append(f"console: {message.text}") if message.type == "error" else None)
    page.on("pageerror", lambda error: ran.append(f"exception: {error}"))
    for row in rows:
        page.goto(f"{address}passages/{row['id']}/?attention=of-head_head-1.1", wait_until="load")
        shown = page.evaluate(_PASSAGE)
        hidden += [f"{row['id']}: text: {part!r}" for part in row["text"].split("\n\n") if _seen(part) not in _seen(shown)]
        for where, selector in (("title", "h1"), ("work", ".g-byline"), ("note", ".g-note"), ("true_class", ".g-byline"), ("source", ".g-provenance")):
            found = page.evaluate("s => [...document.querySelectorAll(s)].map(e => e.textContent).join(' ')", selector)
            hidden += [f"{row['id']}: {where}: {row[where]!r}"] if _seen(row[where]) not in _seen(found) else []
        strange = page.evaluate(_STRANGE)
        ran += [f"{row['id']}: an element of its own: {element}" for element in strange]
        page.hover(".g-text .w >> nth=0")
        for summary in page.query_selector_all(".g-bertviz summary"):
            summary.click()
        page.wait_for_selector("gallery-attention[data-ready]", state="attached")
        page.wait_for_timeout(200)
    for other in (
        "",
        "authors/",
        "model/",
        "how-to-read/",
        *(f"authors/{path.name}/" for path in sorted((gallery / "site" / "authors").iterdir()) if path.is_dir()),
    ):
        page.goto(address + other, wait_until="load")
        page.mouse.move(400, 400)
    page.goto(address)
    for words in ("onerror", "script", "alert(7)"):
        page.fill(".md-search__input", words)
        page.keyboard.press("Space")
        page.wait_for_timeout(300)
    ran += ["the search shows an element of a passage"] * page.locator(".md-search-result img, .md-search-result svg[onload], .md-search-result script").count()
    context.close()
    return ran, hidden


def taken_for_names(room: Path, tried: Sequence[str]) -> list[str]:
    """Return the strings that were accepted as an id, an address to fetch, or the name of a model to fetch."""
    from gallery.errors import PassageError, SourceError
    from gallery.passages.read import read_passages
    from gallery.sources.artifacts import fetch_artifact

    rows: list[dict[str, str]] = []
    for string in tried:
        rows += [
            {"id": string, "true_class": "a", "text": "a"},
            {"id": "one", "true_class": "a", "url": string, "sha256": "0" * 64, "start": "0", "length": "1"},
            {"id": "one", "true_class": "a", "text": "a", string: "a"},
        ]
    (room / "names.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    found = [
        f"taken: {rows[number]}"
        for number, passage in enumerate(read_passages(["names.jsonl"], room))
        if not isinstance(passage, PassageError) and not re.fullmatch(r"[a-z0-9]+([-_][a-z0-9]+)*", passage.id)
    ]
    for string in tried:
        try:
            found.append(f"an artifact: {string!r}: {fetch_artifact(string)}")
        except SourceError:
            continue
    return found


def _model(room: Path, tried: Sequence[str]) -> Path:
    """Write a tiny classifier whose classes, tokens, folder and figures bear such names."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    from tests.support.models import make_tokenizer

    folder = room / "<img src=x onerror=alert(7)>"
    tokenizer = make_tokenizer("wordpiece", TOKENS)
    tokenizer.add_tokens([string for string in tried if "<" in string and "\n" not in string][:40])
    labels = _labels(tried)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, max_position_embeddings=TOKENS,
        id2label=dict(enumerate(labels)), label2id={label: number for number, label in enumerate(labels)}, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    BertForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        if (folder / name).exists():
            text = (folder / name).read_text("utf-8")
            (folder / name).write_text(
                text.replace('"[CLS]"', '"</script><img src=x onerror=alert(7)>"').replace('"[SEP]"', '"<script>alert(7)</script>"'), "utf-8"
            )
    row = {"top1": 0.5, "top3": 0.5, "macro_f1": 0.5, "ece": 0.5}
    figures = {"lengths": {"64": row}, "split": {string: string for string in tried[::7]}, "options": {string: [string] for string in tried[3::7]}}
    (folder / "figures.json").write_text(json.dumps(figures), "utf-8")
    return folder


def _labels(tried: Sequence[str]) -> list[str]:
    shown = [string.strip() for string in tried if string.strip() and not string.strip().isdigit()]
    return list(dict.fromkeys(["</script><script>alert(7)</script>", "<img src=x onerror=alert(7)>", '"><svg onload=alert(7)>', *shown[5::24]]))


def _refused_as_source(string: str) -> bool:
    from gallery.passages.read import _SCRIPT_ADDRESS

    return bool(_SCRIPT_ADDRESS.search("".join(c for c in string if c > " ")))


def _seen(text: str) -> str:
    """What of a text must be found again: all but white space and line separators, which lay-out may change."""
    return "".join(c for c in text if not c.isspace() and c not in "\x1c\x1d\x1e\x1f\x85\ufeff")


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Stay quiet."""


if __name__ == "__main__":
    main()

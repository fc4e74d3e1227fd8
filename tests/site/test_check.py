"""What the check finds in a finished site, and what it leaves alone."""

from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from gallery.errors import SiteError
from gallery.site.check import report as module
from gallery.site.check import sizes
from gallery.site.check.links import read_page
from gallery.site.check.report import check_site
from tests.support.galleries import make_gallery, run

URL = "https://ann.github.io/novels/"


def _site(folder: Path, **pages: str) -> Path:
    """Write pages, named with __ for / and without index.html."""
    for name, body in {"index": "", **pages}.items():
        path = folder / "site" / (name.replace("__", "/") if "." in name else f"{name.replace('__', '/')}/index.html".replace("index/", "", 1))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(body, "utf-8")
    return folder / "site"


def _errors(folder: Path, body: str, **pages: str) -> list[str]:
    return check_site(_site(folder, a__b=body, **pages), URL).errors


@pytest.mark.parametrize(
    "body",
    [
        '<a href="../../">up</a> <a href="./">here</a> <a href="">here</a> <a href="?q=1">here</a>',
        '<a href="../../c/#one">c</a> <a href="../../c">c</a> <a href="/novels/c/">c</a> <a href="https://ann.github.io/novels/c/#one">c</a>',
        '<a href="#two" id="two">two</a> <a href="#">top</a> <a href="#top">top</a> <a href="#layer=3&head=2">state</a>',
        '<a href="#глава">г</a> <a href="#%D0%B3%D0%BB%D0%B0%D0%B2%D0%B0">г</a> <h2 id="глава">',
        '<a href="https://example.org/x">away</a> <a href="mailto:a@example.org">post</a> <a href="https://ann.github.io/other/">mine</a>',
        '<img src="data:image/png;base64,AAAA"> <link rel="canonical" href="https://ann.github.io/novels/a/b/">',
        '<!-- <img src="https://example.org/x.png"> --> <script>const html = \'<img src="https://example.org/x.png">\'</script>',
        '<p title="<img src=https://example.org/x.png>">a &lt;img src="https://example.org/x.png"&gt;</p>',
        '<img src="../../x.svg" srcset="../../x.svg 1x, ../../x.svg 2x" alt="a > b"> <gallery-attention src="../../data/p/attention/">',
    ],
)
def test_a_sound_page_has_no_errors(tmp_path: Path, body: str) -> None:
    pages = {"c": '<h2 id="one">', "x.svg": "<svg xmlns='http://www.w3.org/2000/svg'/>", "data__p__attention__layer-00.bin": ""}
    assert _errors(tmp_path, body, **pages) == []


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ('<a href="../c/">', "a/b/index.html: broken link: ../c/"),
        ('<a href="../../C/">', "a/b/index.html: broken link: ../../C/"),
        ('<img src="x.png">', "a/b/index.html: broken link: x.png"),
        ("<img src=x.png>", "a/b/index.html: broken link: x.png"),
        ('<img srcset="x.png 1x">', "a/b/index.html: broken link: x.png"),
        ('<a href="#none">', "a/b/index.html: no such anchor: #none"),
        ('<a href="../../c/#none">', "a/b/index.html: no such anchor: c/index.html#none"),
        ('<a href="/c/">', "a/b/index.html: leads out of /novels/: /c/"),
        ('<a href="../../../c/">', "a/b/index.html: leads out of /novels/: ../../../c/"),
        ('<a href="javascript:alert(1)">', "a/b/index.html: an address that is not followed: javascript:alert(1)"),
        ('<a href="file:///etc/passwd">', "a/b/index.html: an address that is not followed: file:///etc/passwd"),
        ('<a href="http://[">', "a/b/index.html: not an address: http://["),
        *[
            (body, f"a/b/index.html: loads from another host: {address}")
            for body, address in [
                ('<script src="https://cdn.example.org/d3.js"></script>', "https://cdn.example.org/d3.js"),
                ('<SCRIPT SRC="//cdn.example.org/d3.js"></SCRIPT>', "//cdn.example.org/d3.js"),
                ('<link rel="stylesheet" href="https://example.org/a.css">', "https://example.org/a.css"),
                ('<link rel="preconnect" href="https://fonts.example.org">', "https://fonts.example.org"),
                ('<img src="https://example.org/a.png">', "https://example.org/a.png"),
                ("<iframe src='https://example.org/'></iframe>", "https://example.org/"),
                ('<object data="https://example.org/a.svg">', "https://example.org/a.svg"),
                ("<style>@import 'https://example.org/a.css';</style>", "https://example.org/a.css"),
                ('<p style="background: url(https://example.org/a.png)">', "https://example.org/a.png"),
                ('<script type="module">import x from "https://example.org/a.js"</script>', "https://example.org/a.js"),
                ('<script>import("https://example.org/a.js")</script>', "https://example.org/a.js"),
                ('<svg><image xlink:href="https://example.org/a.png"/></svg>', "https://example.org/a.png"),
                ('<img alt=">" src="https://example.org/a.png">', "https://example.org/a.png"),
                ('<img src="https://example.org/&amp;a.png">', "https://example.org/&a.png"),
            ]
        ],
    ],
)
def test_what_is_wrong_is_named_with_its_page(tmp_path: Path, body: str, error: str) -> None:
    assert _errors(tmp_path, body, c="") == [error]


def test_style_sheets_and_scripts_are_looked_at_too(tmp_path: Path) -> None:
    css = "@font-face { src: url('https://example.org/a.woff2') } .a { background: url(none.png) }"
    errors = _errors(tmp_path, "", **{"assets__a.css": css, "assets__a.js": 'import {a} from "https://example.org/b.js";'})
    assert errors == [
        "assets/a.css: broken link: none.png",
        "assets/a.css: loads from another host: https://example.org/a.woff2",
        "assets/a.js: loads from another host: https://example.org/b.js",
    ]


def test_one_fault_on_many_pages_is_one_line(tmp_path: Path) -> None:
    link = '<a href="/c/">'
    assert _errors(tmp_path, link, d=link, e=link) == ["a/b/index.html: leads out of /novels/: /c/ (and 2 other files)"]


@pytest.mark.posix
def test_a_link_in_the_file_system_is_refused(tmp_path: Path) -> None:
    site = _site(tmp_path)
    (site / "secret").symlink_to("/etc/passwd")
    assert check_site(site, URL).errors == ["secret: a link in the file system; it would not be published."]


def test_passages_without_a_page_are_named(tmp_path: Path) -> None:
    report = check_site(_site(tmp_path, passages__one=""), URL, expected=["passages/one/", "passages/two/"])
    assert report.errors == ["passages/two/: missing. Run: python build.py"]


def test_a_site_without_an_address_of_its_own_is_warned_of(tmp_path: Path) -> None:
    report = check_site(_site(tmp_path), "")
    assert not report.errors
    assert "site_url is not set" in report.warnings[0]


def test_no_site_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SiteError, match=r"no site\. Run: python build\.py"):
        check_site(tmp_path / "site")


def test_a_site_over_its_budget_says_what_would_help_and_by_how_much(tmp_path: Path) -> None:
    site = _site(tmp_path)
    for layer in range(4):
        path = site / "data" / "p" / "attention" / f"layer-{layer:02}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(1_000_000))
    (site / "data" / "p" / "model_view.html").write_bytes(b" " * 500_000)
    report = check_site(site, URL, budget_mb=3)
    assert report.errors == [
        "the site takes 4.5 MB, over the 3.0 MB of extra.gallery.site_budget_mb (GitHub Pages publishes 1 GB). "
        "What would help: attention.fit: true chooses among these for you; "
        "attention.layers, a list of fewer layers: 1.0 MB less for each; 2 of 4 would fit, such as [1, 4]; "
        "attention.tokens, an excerpt of half the length: about 2.0 MB less; attention.layers: mean, no single heads: 4.0 MB less; "
        "attention.layers: none, the picture of all heads alone: 4.0 MB less; bertviz_tokens: 0: 0.5 MB less; fewer passages: they take 4.5 MB in all."
    ]
    assert check_site(site, URL, budget_mb=5).errors == []
    assert sizes.table(report.sizes).splitlines()[1:] == [
        "attention         4       4.0 MB       1.0 MB",
        "bertviz           1       0.5 MB       0.5 MB",
        "pages             1       0.0 kB       0.0 kB",
        "all               6       4.5 MB",
    ]


def test_a_file_that_git_would_not_push_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PUSH_BYTES", 1000)
    site = _site(tmp_path)
    (site / "large.bin").write_bytes(bytes(1001))
    assert check_site(site, URL).errors == ["large.bin: 1.0 kB; GitHub takes no file over 100 MiB. Carry an excerpt: attention.tokens; or shorten the passage."]


@pytest.mark.parametrize("piece", ["\"'", "<a ", "<a b=", '<a "', "<a \"<a '", "<!--", "<script>", "<style x='", "<a b=c ", "<x" * 9, "</script"])
def test_a_page_that_was_made_to_be_slow_is_not(piece: str) -> None:
    """Each of these would still be at it when the run is stopped, were the pattern to look at one place twice."""
    assert read_page("<a " + piece * 50_000).links == []


class _Reference(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found |= {value or "" for name, value in attrs if name in {"href", "src"}}


def test_links_are_those_that_an_html_parser_sees() -> None:
    attributes = ["", "x", "x=1", "data-a='<b href=no>'", 'alt="a > b"']
    text = "".join(f"<a href='{n}' {attributes[n % 5]}>&quot;<b>{n}</b></a><img {attributes[n % 4]} src=i{n}><br/>" for n in range(100))
    reference = _Reference()
    reference.feed(text)
    found = read_page(text)
    assert {*found.links, *found.resources} == reference.found


def test_a_build_ends_with_what_the_check_finds(tiny: Callable[[str], Path], tmp_path: Path) -> None:
    config = make_gallery(tmp_path, tiny("bert"))
    (tmp_path / "site_src" / "how-to-read.md").write_text("# Как читать\n\n[Куда-то](none.html)\n\n## Внимание {#attention}\n", "utf-8")
    built = run(config)
    assert built.exit_code == 1
    assert "how-to-read/index.html: broken link: none.html" in built.output
    assert (tmp_path / "site" / "passages" / "white-wall" / "index.html").exists()
    (tmp_path / "site_src" / "passages" / "late.md").write_text("---\ntrue_class: Чехов\ntitle: Позже\n---\nПришёл позже всех.\n", "utf-8")
    (tmp_path / "site_src" / "how-to-read.md").write_text("# Как читать\n\n## Внимание {#attention}\n", "utf-8")
    assert run(config, "render").exit_code == 0
    checked = run(config, "check")
    assert checked.exit_code == 1
    assert "site_src/passages/late.md: late: not in the store. Run: python build.py explain" in checked.output
    assert "pages" in checked.output
    small = run(config, "render", "--site-budget-mb", "1")
    assert small.exit_code == 1
    assert "What would help: " in small.output

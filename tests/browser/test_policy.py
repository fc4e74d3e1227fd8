"""What the Content-Security-Policy lets happen in a real browser, and what it does not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.browser import PUBLISHED, Watched, publish, wait_until
from tests.support.galleries import TEXTS

pytestmark = pytest.mark.browser

INJECTED = """<script>window.ran = "script"</script><img src="none.png" onerror="window.ran = 'handler'"><a id="trap" href="javascript:window.ran='link'">x</a>
<svg onload="window.ran = 'svg'"></svg><iframe srcdoc="<script>parent.ran = 'frame'</script>"></iframe><base href="https://example.org/">
<img src="https://example.org/beacon.png"><script src="https://example.org/a.js"></script><object data="https://example.org/a"></object></body>"""

FOLLOW = "url => { const a = document.createElement('a'); a.href = url; document.querySelector('article').append(a); a.click(); }"


@pytest.mark.parametrize("address", ["", "passages/white-wall/", "data/white-wall/head_view.html", "404.html"])
def test_what_is_slipped_into_a_page_neither_runs_nor_loads(site: str, chromium: Any, address: str) -> None:
    page = chromium.new_context().new_page()
    asked: list[str] = []
    page.route("https://example.org/**", lambda route: asked.append(route.request.url) or route.abort())

    def slip_in(route: Any) -> None:
        route.fulfill(body=route.fetch().text().replace("</body>", INJECTED), content_type="text/html")

    page.route(lambda url: url == site + address, slip_in)
    page.add_init_script("window.broken = []; addEventListener('securitypolicyviolation', (e) => broken.push(e.effectiveDirective))")
    page.goto(site + address, wait_until="networkidle")
    refused = page.evaluate("broken")
    assert {"script-src-elem", "script-src-attr", "base-uri", "img-src", "object-src"} <= set(refused)
    page.eval_on_selector("#trap", "link => link.click()")
    wait_until(page, f"window.ran || broken.length > {len(refused)}")
    assert page.evaluate("window.ran") is None
    assert page.evaluate("document.baseURI").startswith(site)
    assert asked == []
    page.context.close()


def test_a_page_opened_as_a_file_keeps_its_style_and_its_script(site: str, chromium: Any, site_folder: Path) -> None:
    page = chromium.new_context().new_page()
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text) if "Content Security Policy" in message.text else None)
    page.goto((site_folder / "passages" / "white-wall" / "index.html").as_uri())
    assert page.evaluate("getComputedStyle(document.querySelector('.g-text .w[class*=for], .g-text .w[class*=against]')).backgroundColor") != "rgba(0, 0, 0, 0)"
    assert page.evaluate("typeof __md_get") == "function"
    assert faults == []
    page.context.close()


def test_instant_navigation_between_pages_of_every_depth_breaks_no_policy(site_folder: Path, chromium: Any) -> None:
    context = chromium.new_context()
    context.add_init_script("window.broken = []; addEventListener('securitypolicyviolation', (e) => broken.push(`${e.violatedDirective}: ${e.blockedURI}`))")
    publish(site_folder, context)
    page = context.new_page()
    page.goto(PUBLISHED, wait_until="networkidle")
    page.evaluate("window.stayed = true")
    for address in ("passages/white-wall/", "authors/", "authors/chekhov/", "how-to-read/", ""):
        page.evaluate(FOLLOW, PUBLISHED + address)
        page.wait_for_url(PUBLISHED + address)
        page.wait_for_load_state("networkidle")
        wait_until(page, f"__md_scope.href === {PUBLISHED!r}")
        if address.startswith("passages"):
            page.hover(".g-text .w >> nth=1")
            wait_until(page, "document.querySelector('.g-focus strong')?.textContent === 'человек'")
    assert page.evaluate("window.stayed"), "a page was loaded anew"
    assert page.evaluate("broken") == []
    assert page.locator("meta[http-equiv=Content-Security-Policy]").count() == 1
    context.close()


def test_the_frames_of_bertviz_cannot_reach_the_page_around_them(site: str, watched: Watched) -> None:
    page = watched.page
    page.goto(site + f"passages/{next(iter(TEXTS))}/")
    page.click(".g-bertviz summary >> nth=0")
    frame = page.frame_locator("iframe[title='bertviz model_view']")
    frame.locator("svg line").first.wait_for(state="attached")
    inner = next(frame for frame in page.frames if frame.url.endswith("model_view.html"))
    assert inner.evaluate("origin") == "null"
    assert inner.evaluate("() => { try { return String(parent.document) } catch (error) { return error.name } }") == "SecurityError"
    assert watched.faults == []


def test_serve_takes_the_policy_out_for_its_own_script(tiny: Callable[[str], Path]) -> None:
    from gallery.site.policy import site_policy, with_policy, without_policy

    document = '<html><head><meta charset="utf-8"><title>a</title></head><body><p style="color: red">“a”</p></body></html>'
    guarded = with_policy(document, site_policy([document]))
    assert "sha256-" in guarded
    assert without_policy(guarded.encode()) == document.encode()

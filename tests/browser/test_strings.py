"""A gallery of strings that try to be more than text: a cut of what `python -m tests.faults.strings` looks at."""

from pathlib import Path
from typing import Any

import pytest

from tests.faults import strings

pytestmark = pytest.mark.browser

EVERY = 8


@pytest.fixture(scope="module")
def figures(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    return strings.run(tmp_path_factory.mktemp("strings"), strings.strings()[::EVERY], chromium)


def test_no_string_runs_asks_another_host_or_breaks_the_policy(figures: dict[str, object]) -> None:
    assert figures["strings"] == len(strings.strings()[::EVERY]) > 50
    assert figures["executed"] == []


def test_every_string_is_shown_as_it_is(figures: dict[str, object]) -> None:
    assert figures["not_shown"] == []


def test_no_string_is_taken_for_an_id_an_address_or_a_model(figures: dict[str, object]) -> None:
    assert figures["not_refused"] == []


def test_what_runs_or_is_hidden_would_be_noticed(chromium: Any, tmp_path: Path) -> None:
    """The same looking at a page into which a script, a handler, another host and another text were slipped."""
    folder = strings.build(tmp_path, strings.strings()[:: EVERY * 8])
    page = folder / "site" / "passages" / "strings-0" / "index.html"
    content = page.read_text("utf-8")
    slipped = "<article><script>alert(1)</script><img src=x onerror=alert(2)><img src='https://example.org/a.png'></article></body>"
    page.write_text(content.replace("</body>", slipped).replace("<h1", "<h2"), "utf-8")
    with strings.served(folder / "site") as address:
        ran, hidden = strings.look(address, folder, chromium)
    assert any("policy: " in line for line in ran)
    assert any("an element of its own: <img" in line for line in ran)
    assert any("asked another host" in line or "img-src" in line for line in ran)
    assert any(": title: " in line for line in hidden)

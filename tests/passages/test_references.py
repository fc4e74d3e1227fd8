"""Passages by reference: cut where they say, from files that are what they should be, fetched with care."""

import csv
import hashlib
import os
import re
import shutil
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gallery.errors import ConfigError, PassageError
from gallery.passages.read import CLASSICS, Passage, read_passages
from gallery.passages.references import Texts, hard_wrap, set_white_space
from gallery.sources import downloads, peers
from tests.support.loopback import Loopback, Request

ROOT = Path(__file__).parents[2]
CLASSIC_AUTHORS = ("Салтыков-Щедрин", "Толстой", "Достоевский", "Чехов", "Гоголь", "Пушкин", "Тургенев", "Лесков", "Горький", "Сологуб", "Брюсов", "Лермонтов")

LINES = ["Глава первая", "", "   Он  вошёл\u00a0и сел\u00ad.", "   -- Что вам? -- спросили его.", "", "Конец."]
RAW = "\ufeff" + "\r\n".join(LINES)
START, LENGTH = RAW.index("   Он") - 1, len(LINES[2]) + 2 + len(LINES[3])
MEANT = "Он вошёл и сел.\n\n-- Что вам? -- спросили его."


class TextServer(Loopback):
    """Serves texts by path, sends on, says too much."""

    def __init__(self, port: int = 0, host: str = "127.0.0.1") -> None:
        super().__init__(port, host)
        self.closes = False
        """Whether each answer ends the connection."""
        self.texts: dict[str, bytes] = {}
        self.sends_on: dict[str, str] = {}

    def get(self, request: Request) -> None:
        request.close_connection = self.closes
        if request.path in self.sends_on:
            return request.reply(302, b"", {"Location": self.sends_on[request.path]})
        if request.path in self.texts:
            return request.reply(200, self.texts[request.path])
        return request.reply(404, b"")


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TextServer]:
    monkeypatch.setenv("GALLERY_CACHE", str(tmp_path / "cache"))
    with TextServer() as server:
        server.texts["/novel.txt"] = RAW.encode()
        yield server


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _table(folder: Path, *urls: str, digest: str = _digest(RAW.encode()), start: int | str = START, length: int = LENGTH, encoding: str = "") -> Path:
    rows = [f"p{number},Гоголь,{url},{digest},{start},{length},{encoding}" for number, url in enumerate(urls)]
    path = folder / "table.csv"
    path.write_text("\n".join(["id,true_class,url,sha256,start,length,encoding", *rows]), "utf-8")
    return path


def _read(table: Path, texts: Path | None = None) -> list[Passage | PassageError]:
    return list(read_passages([table.name], table.parent, texts))


def _error(found: Passage | PassageError) -> str:
    assert isinstance(found, PassageError)
    return found.message


def _text(found: Passage | PassageError) -> str:
    assert isinstance(found, Passage), found.message
    return found.text


def test_a_passage_is_fetched_once_and_then_found_without_a_network(server: TextServer, tmp_path: Path) -> None:
    table = _table(tmp_path, f"{server.address}/novel.txt", f"{server.address}/novel.txt")
    assert [_text(found) for found in _read(table)] == [MEANT, MEANT]
    assert [path for _, path in server.log] == ["/novel.txt"]
    server.die()
    assert _text(_read(table)[0]) == MEANT


@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "with a byte-order mark"])
def test_offsets_count_characters_of_the_decoded_file(server: TextServer, tmp_path: Path, mark: str) -> None:
    """As the documented line of Python counts them: neither bytes nor UTF-16 units, line ends of two characters as two, no byte-order mark."""
    content = f"{mark}Дом 🌍.\r\nИ\u0306од, ёж.\r\nКонец.".encode()
    (tmp_path / "raw.txt").write_bytes(content)
    with (tmp_path / "raw.txt").open(encoding="utf-8-sig", newline="") as stream:
        cut = stream.read()[8:17]
    assert cut == "И\u0306од, ёж."
    server.texts["/raw.txt"] = content
    for encoding in ("", "utf-8", "UTF8"):
        table = _table(tmp_path, f"{server.address}/raw.txt", digest=_digest(content), start=8, length=9, encoding=encoding)
        assert _text(_read(table)[0]) == cut


def test_another_encoding_is_named(server: TextServer, tmp_path: Path) -> None:
    text = "Он вошёл и сел."
    server.texts["/old.txt"] = text.encode("cp1251")
    digest = _digest(text.encode("cp1251"))
    url = f"{server.address}/old.txt"
    assert _text(_read(_table(tmp_path, url, digest=digest, start=0, length=15, encoding="cp1251"))[0]) == text
    assert "encoding: " in _error(_read(_table(tmp_path, url, digest=digest, start=0, length=15))[0])


def test_a_wrong_checksum_is_an_error_for_that_passage_alone(server: TextServer, tmp_path: Path) -> None:
    server.texts["/other.txt"] = b"another edition"
    first, second = _read(_table(tmp_path, f"{server.address}/other.txt", f"{server.address}/novel.txt"))
    assert _error(first).startswith("table.csv: line 2: ")
    assert "not the file that was meant" in _error(first)
    assert _text(second) == MEANT
    assert len(list((tmp_path / "cache" / "texts").iterdir())) == 1


def test_a_text_that_cannot_be_had_is_asked_for_once(server: TextServer, tmp_path: Path) -> None:
    errors = [_error(found) for found in _read(_table(tmp_path, *[f"{server.address}/none.txt"] * 3))]
    assert [error.split(": ")[1] for error in errors] == ["line 2", "line 3", "line 4"]
    assert all("extra.gallery.texts" in error for error in errors)
    assert len(server.log) == 1


@pytest.mark.parametrize(
    ("start", "length", "says"),
    [(0, len(RAW), "is not within the"), (0, 0, "is not within the"), (-1, 5, "start: '-1' is not a count"), ("zero", 5, "start: 'zero' is not a count")],
)
def test_a_stretch_that_is_not_there_is_an_error(server: TextServer, tmp_path: Path, start: int | str, length: int, says: str) -> None:
    assert says in _error(_read(_table(tmp_path, f"{server.address}/novel.txt", start=start, length=length))[0])


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://example.org/a.txt", "/etc/hostname", "http://"])
def test_only_web_addresses_are_followed(tmp_path: Path, url: str) -> None:
    assert "Only http and https" in _error(_read(_table(tmp_path, url))[0])


def test_a_server_may_not_send_on_to_a_file(server: TextServer, tmp_path: Path) -> None:
    (tmp_path / "novel.txt").write_bytes(RAW.encode())
    server.sends_on["/novel"] = (tmp_path / "novel.txt").as_uri()
    assert "Only http and https" in _error(_read(_table(tmp_path, f"{server.address}/novel"))[0])


@pytest.mark.parametrize("target", ["http://127.0.0.1:80/", "http://10.0.0.1/", "http://169.254.169.254/latest", "http://[::1]/", "http://0.0.0.0/"])
def test_a_public_address_may_not_send_on_to_a_private_one(target: str) -> None:
    with pytest.raises(PassageError, match="a private address"):
        downloads._check_address(target, "http://8.8.8.8/novel.txt", public=True)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Give the addresses that names of this machine lead to, in turn, the last for good; 127.0.0.2 counts as public."""
    known: dict[str, list[str]] = {}
    ask = socket.getaddrinfo

    def answer(host: str, *rest: Any, **options: Any) -> Any:
        if host not in known:
            return ask(host, *rest, **options)
        found = known[host]
        return ask(found.pop(0) if len(found) > 1 else found[0], *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    monkeypatch.setattr(peers, "is_public", lambda address: address == "127.0.0.2")
    monkeypatch.setenv("no_proxy", "*")
    return known


@pytest.fixture
def public(server: TextServer, names: dict[str, list[str]]) -> Iterator[TextServer]:
    """Give a server of the public internet, at the same port as the private one."""
    if sys.platform != "linux":
        pytest.skip("only Linux has a second loopback address without being asked")
    names |= {"public.test": ["127.0.0.2"]}
    with TextServer(server.port, "127.0.0.2") as public:
        public.texts["/novel.txt"] = RAW.encode()
        yield public


def test_a_name_that_changes_its_answer_after_it_was_looked_at_is_told_nothing(
    public: TextServer, server: TextServer, names: dict[str, list[str]], tmp_path: Path
) -> None:
    """The name is public when the redirect is checked and private when it is connected to."""
    names["turns.test"] = ["127.0.0.2", "127.0.0.1"]
    public.sends_on["/novel"] = f"http://turns.test:{server.port}/novel.txt"
    assert "turns.test, a private address" in _error(_read(_table(tmp_path, f"http://public.test:{public.port}/novel"))[0])
    assert server.log == []
    names["turns.test"] = ["127.0.0.2"]
    assert _text(_read(_table(tmp_path, f"http://public.test:{public.port}/novel"))[0]) == MEANT


def test_a_name_that_changes_its_answer_between_two_requests_is_told_nothing(
    public: TextServer, server: TextServer, names: dict[str, list[str]], tmp_path: Path
) -> None:
    names["turns.test"] = ["127.0.0.2", "127.0.0.1"]
    public.sends_on["/novel"] = "/novel.txt"
    public.closes = True
    assert "turns.test, a private address" in _error(_read(_table(tmp_path, f"http://turns.test:{public.port}/novel"))[0])
    assert [path for _, path in public.log] == ["/novel"]
    assert server.log == []


def test_the_certificate_is_held_against_the_name_and_not_the_address(
    server: TextServer, names: dict[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=texts.test", "-addext", "subjectAltName=DNS:texts.test"]
    if not shutil.which("openssl") or subprocess.run([*words, "-keyout", key, "-out", certificate], capture_output=True).returncode:
        pytest.skip("making a certificate needs openssl")
    server.encrypt(certificate, key)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    names |= {"texts.test": ["127.0.0.1"], "others.test": ["127.0.0.1"]}
    assert _text(_read(_table(tmp_path, f"https://texts.test:{server.port}/novel.txt"))[0]) == MEANT
    server.texts["/other.txt"] = b"never sent"
    for name in ("others.test", "127.0.0.1"):
        assert "cannot be fetched" in _error(_read(_table(tmp_path, f"https://{name}:{server.port}/other.txt", digest=_digest(b"never sent")))[0])


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2001:4860:4860::8888", True),
        ("127.0.0.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:8.8.8.8", True),
        ("64:ff9b::7f00:1", False),
        ("2002:c0a8:1::", False),
        ("224.0.0.1", False),
    ],
)
def test_what_counts_as_a_public_address(address: str, public: bool) -> None:
    assert peers.is_public(address) == public


def test_a_file_without_end_is_cut_off(server: TextServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "MAX_BYTES", 100)
    url = f"{server.address}/novel.txt"
    assert "longer than 100 bytes" in _error(_read(_table(tmp_path, url))[0])
    with pytest.raises(PassageError, match="longer than 100 bytes"):
        downloads._Bounded(open(os.devnull, "wb"), url).write(b"x" * 101)  # noqa: SIM115, PTH123
    assert not list((tmp_path / "cache" / "texts").iterdir())


@pytest.mark.parametrize("inner", ["ann/novels", "texts/ann/novels"])
def test_texts_come_from_a_folder_laid_out_as_the_repository(server: TextServer, tmp_path: Path, inner: str) -> None:
    path = tmp_path / "library" / inner / "prose" / "Мой роман.txt"
    path.parent.mkdir(parents=True)
    path.write_bytes(RAW.encode())
    url = "https://raw.githubusercontent.com/ann/novels/0123abc/prose/%D0%9C%D0%BE%D0%B9%20%D1%80%D0%BE%D0%BC%D0%B0%D0%BD.txt"
    assert _text(_read(_table(tmp_path, url), tmp_path / "library")[0]) == MEANT
    path.write_bytes(b"another")
    error = _error(_read(_table(tmp_path, url), tmp_path / "library")[0])
    assert "another edition" in error
    assert str(path) in error


@pytest.mark.corpus
def test_the_classics_are_whole_paragraphs_of_a_hundred_to_three_hundred_words(tmp_path: Path) -> None:
    data = Path(os.environ.get("GALLERY_DATA", ROOT.parent / "shared" / "data"))
    if not (data / "texts").is_dir():
        pytest.skip(f"the raw texts are not at {data / 'texts'}; set GALLERY_DATA")
    found = list(read_passages([CLASSICS], ROOT, data))
    assert Counter(p.true_class for p in found if isinstance(p, Passage)) == dict.fromkeys(CLASSIC_AUTHORS, 3)
    for passage in found:
        assert 100 <= len(_text(passage).split()) <= 300
        for paragraph in _text(passage).split("\n\n"):
            assert paragraph[0].isupper() or paragraph[0] in '«"', paragraph
            assert paragraph[-1] in '.!?…»")', paragraph
            assert not set(paragraph) & set("[]*_<>0123456789"), paragraph


def test_the_classics_are_facts_and_no_texts() -> None:
    with (ROOT / CLASSICS).open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [*rows[0]] == ["id", "true_class", "title", "work", "year", "source", "url", "sha256", "start", "length"]
    assert Counter(row["true_class"] for row in rows) == dict.fromkeys(CLASSIC_AUTHORS, 3)
    assert all(len(row["title"]) < 60 for row in rows)
    assert all(re.search(r"/[0-9a-f]{40}/", row["url"]) for row in rows), "a URL that names no commit may change"


def test_a_texts_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"extra\.gallery\.texts"):
        _read(_table(tmp_path, "http://127.0.0.1/a"), tmp_path / "none")


def test_a_reference_may_stand_in_front_matter(server: TextServer, tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text(
        f"---\ntrue_class: Гоголь\nurl: {server.address}/novel.txt\nsha256: {_digest(RAW.encode())}\nstart: {START}\nlength: {LENGTH}\n---\n", "utf-8"
    )
    assert _text(next(read_passages(["a.md"], tmp_path))) == MEANT


def test_hard_wraps_are_joined_and_paragraphs_kept() -> None:
    wrapped = "\n".join(["     Елена вошла в комнату и долго стояла", "  у окна, не говоря ни слова и не глядя", "  на него.", "     Он молчал."] * 4)
    assert hard_wrap(wrapped) == 2
    assert set_white_space(wrapped, 2).split("\n\n")[:2] == [
        "Елена вошла в комнату и долго стояла у окна, не говоря ни слова и не глядя на него.",
        "Он молчал.",
    ]
    assert hard_wrap("\n".join(["Строка " * 30] * 20)) is None


def test_a_dataset_folder_is_a_table(tmp_path: Path) -> None:
    import json

    import pyarrow as pa

    folder = tmp_path / "set" / "train"
    folder.mkdir(parents=True)
    table = pa.table({"id": ["a", "b"], "text": ["Один.", "Два."], "true_class": [1, 0]})
    with pa.OSFile(str(folder / "data-00000-of-00001.arrow"), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}))
    (folder / "dataset_info.json").write_text(json.dumps({"features": {"true_class": {"names": ["Чехов", "Гоголь"], "_type": "ClassLabel"}}}))
    (tmp_path / "set" / "dataset_dict.json").write_text('{"splits": ["train"]}')
    found = list(read_passages(["set"], tmp_path))
    assert [(p.id, p.text, p.true_class, p.origin) for p in found if isinstance(p, Passage)] == [
        ("a", "Один.", "Гоголь", "set/train: row 1"),
        ("b", "Два.", "Чехов", "set/train: row 2"),
    ]
    (folder / "data-00000-of-00001.arrow").write_bytes(b"no")
    assert "not a dataset" in _error(next(read_passages(["set"], tmp_path)))


def test_a_text_that_several_passages_refer_to_is_read_once(tmp_path: Path) -> None:
    """Thirty passages of one novel do not read and decode it thirty times."""
    path = tmp_path / "library" / "example.org" / "novel.txt"
    path.parent.mkdir(parents=True)
    path.write_bytes(RAW.encode())
    library = Texts(tmp_path / "library")
    row = {"url": "http://example.org/novel.txt", "sha256": _digest(RAW.encode()).upper(), "start": START, "length": LENGTH}
    assert library.passage(row, "one") == MEANT
    path.unlink()
    assert library.passage(row, "two") == MEANT


@pytest.mark.parametrize("path", ["/..%2Fsecret.txt", "/%2e%2e/secret.txt", "/a/../../secret.txt", "/..%5Csecret.txt", "/.%2Fsecret.txt"])
def test_an_address_leads_to_no_file_outside_the_folder_of_texts(server: TextServer, tmp_path: Path, path: str) -> None:
    (tmp_path / "library" / "127.0.0.1").mkdir(parents=True)
    for folder in (tmp_path, tmp_path / "library", tmp_path / "library" / "127.0.0.1"):
        (folder / "secret.txt").write_bytes(RAW.encode())
    (tmp_path / "library" / "127.0.0.1" / "..\\secret.txt").write_bytes(RAW.encode())
    assert "extra.gallery.texts" in _error(_read(_table(tmp_path, f"{server.address}{path}"), tmp_path / "library")[0])


def test_a_length_that_ends_with_the_text_is_within_it(server: TextServer, tmp_path: Path) -> None:
    whole = len(RAW) - 1  # the byte-order mark is not counted
    assert _text(_read(_table(tmp_path, f"{server.address}/novel.txt", start=0, length=whole))[0]).endswith("Конец.")
    error = _error(_read(_table(tmp_path, f"{server.address}/novel.txt", start=1, length=whole))[0])
    assert f"length: 1 + {whole} is not within the {whole} characters of {server.address}/novel.txt" in error


@pytest.mark.parametrize(
    ("digest", "says"), [("", "sha256: missing or not 64"), ("0" * 63, "sha256: missing or not 64"), ("g" * 64, "sha256: missing or not 64")]
)
def test_a_reference_names_the_file_by_its_whole_sha256(tmp_path: Path, digest: str, says: str) -> None:
    assert says in _error(_read(_table(tmp_path, "http://127.0.0.1/a", digest=digest))[0])


def test_an_address_of_more_than_a_thousand_characters_is_none(tmp_path: Path) -> None:
    address = "ftp://example.org/".ljust(1000, "a")
    assert "Only http and https" in _error(_read(_table(tmp_path, address))[0])
    assert "url: 1,001 characters, which is no address" in _error(_read(_table(tmp_path, address + "a"))[0])


def test_a_cache_that_cannot_be_written_is_an_error_of_the_passage(server: TextServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("GALLERY_CACHE", str(tmp_path / "file" / "cache"))
    assert "table.csv: line 2: " in (error := _error(_read(_table(tmp_path, f"{server.address}/novel.txt"))[0]))
    assert "Not a directory" in error

"""Publishing to a bare repository on disk, by the real git, as GitHub would receive it."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from gallery.errors import SiteError, StoreError
from gallery.site.build.publish import Target, pages_address, publish
from gallery.site.check.report import check_site
from gallery.store.entries import exclusive


def _git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a project with a built site, whose remote is a bare repository."""
    for name in ("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"):
        monkeypatch.setenv(name, "Ann")
    for name in ("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL", "EMAIL"):
        monkeypatch.setenv(name, "ann@example.org")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    project = tmp_path / "novels"
    (project / "site" / "passages" / "one").mkdir(parents=True)
    (project / "site" / "index.html").write_text('<a href="passages/one/">Один</a>', "utf-8")
    (project / "site" / "passages" / "one" / "index.html").write_text('<a href="../../">Все</a>', "utf-8")
    _git(tmp_path, "init", "-q", "--bare", "remote.git")
    _git(project, "init", "-q", "-b", "main")
    _git(project, "commit", "-q", "--allow-empty", "-m", "Begin")
    _git(project, "remote", "add", "origin", str(tmp_path / "remote.git"))
    return project


def _publish(project: Path, history: bool = True, dry_run: bool = False) -> list[str]:
    said: list[str] = []
    report = check_site(project / "site", "https://ann.github.io/novels/")
    publish(project / "site", report, project, said.append, Target(history=history), dry_run)
    return said


def _published(project: Path) -> set[str]:
    return set(_git(project.parent / "remote.git", "ls-tree", "-r", "--name-only", "gh-pages").splitlines())


def test_the_branch_holds_the_site_and_nothing_else(project: Path) -> None:
    said = _publish(project)
    assert _published(project) == {".nojekyll", "index.html", "passages/one/index.html"}
    assert _git(project.parent / "remote.git", "show", "gh-pages:index.html") == '<a href="passages/one/">Один</a>'
    assert said[0].startswith("Pushed 2 files")
    assert _git(project, "rev-parse", "--short", "HEAD") in _git(project.parent / "remote.git", "log", "-1", "--format=%s", "gh-pages")
    assert _git(project, "status", "--porcelain") == "?? site/"


def test_what_was_taken_out_of_the_site_leaves_the_branch(project: Path) -> None:
    _publish(project)
    (project / "site" / "index.html").write_text("Пусто", "utf-8")
    (project / "site" / "passages" / "one" / "index.html").unlink()
    _publish(project)
    assert _published(project) == {".nojekyll", "index.html"}
    assert _git(project.parent / "remote.git", "rev-list", "--count", "gh-pages") == "2"
    _publish(project, history=False)
    assert _git(project.parent / "remote.git", "rev-list", "--count", "gh-pages") == "1"


def test_what_someone_else_has_published_is_built_upon(project: Path) -> None:
    _publish(project)
    _git(project.parent, "clone", "-q", "remote.git", "other")
    (project.parent / "other" / "site").mkdir()
    (project.parent / "other" / "site" / "index.html").write_text("Другое", "utf-8")
    _publish(project.parent / "other")
    _publish(project)
    assert _git(project.parent / "remote.git", "rev-list", "--count", "gh-pages") == "3"
    assert "passages/one/index.html" in _published(project)


def test_a_dry_run_pushes_nothing(project: Path) -> None:
    assert _publish(project, dry_run=True)[0].startswith("Would push 2 files")
    assert _git(project.parent / "remote.git", "branch") == ""
    assert "gh-pages" not in _git(project, "branch")


def test_a_site_with_errors_is_not_published(project: Path) -> None:
    (project / "site" / "index.html").write_text('<script src="https://cdn.example.org/d3.js"></script>', "utf-8")
    with pytest.raises(SiteError, match=r"Not published:\n +index\.html: loads from another host"):
        _publish(project)
    assert _git(project.parent / "remote.git", "branch") == ""


def test_a_remote_that_is_not_there_is_named(project: Path) -> None:
    _git(project, "remote", "set-url", "origin", str(project.parent / "gone.git"))
    with pytest.raises(SiteError, match=r"gone\.git: git could not push"):
        _publish(project)
    _git(project, "remote", "remove", "origin")
    with pytest.raises(SiteError, match=r"No such remote 'origin'.*--remote"):
        _publish(project)


def test_a_folder_outside_any_repository_is_named(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(project.parent))
    (project / ".git").rename(project.parent / "not-git")
    with pytest.raises(SiteError, match="not a git repository"):
        _publish(project)


@pytest.mark.parametrize(
    ("remote", "address"),
    [
        ("https://github.com/Ann/novels.git", "https://ann.github.io/novels/"),
        ("git@github.com:ann/novels", "https://ann.github.io/novels/"),
        ("git@github.com:ann/ann.github.io.git", "https://ann.github.io/"),
        ("https://git.example.org/ann/novels", None),
    ],
)
def test_the_address_of_the_published_site_is_known(remote: str, address: str | None) -> None:
    assert pages_address(remote) == address


KILLED = """
import os, signal, sys
from pathlib import Path
from gallery.site.build import publish
from gallery.site.check.report import check_site
project, lock = Path(sys.argv[1]), Path(sys.argv[2])

def die(*_, **__):  # in the middle of the push, with the lock in place
    lock.touch()
    os.kill(os.getpid(), signal.SIGKILL)

publish.ghp_import.ghp_import = die
publish.publish(project / "site", check_site(project / "site", "https://ann.github.io/novels/"), project, print)
"""
LOCKS = ["refs/heads/gh-pages.lock", "refs/remotes/origin/gh-pages.lock", "packed-refs.lock"]


@pytest.mark.posix
@pytest.mark.parametrize("lock", LOCKS)
@pytest.mark.parametrize("history", [True, False])
def test_a_lock_that_a_killed_publication_left_holds_nobody_up(project: Path, lock: str, history: bool) -> None:
    _publish(project)
    (project / "site" / "index.html").write_text("Новое", "utf-8")
    killed = subprocess.run([sys.executable, "-c", KILLED, project, project / ".git" / lock], capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert (project / ".git" / lock).exists()
    _publish(project, history=history)
    assert _git(project.parent / "remote.git", "show", "gh-pages:index.html") == "Новое"
    assert [path.name for path in (project / ".git").rglob("*.lock")] == [".lock"]  # ours, which the system has let go


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_that_may_be_another_gits_is_named_and_left(project: Path, lock: str) -> None:
    _publish(project)
    (project / ".git" / lock).touch()
    with pytest.raises(SiteError, match=rf"{lock}: git is at work there"):
        _publish(project)
    assert (project / ".git" / lock).exists()
    (project / ".git" / lock).unlink()
    assert _publish(project)[0].startswith("Pushed")


def test_a_lock_that_goes_by_itself_is_waited_for(project: Path) -> None:
    _publish(project)
    lock = project / ".git" / LOCKS[0]
    lock.touch()
    threading.Timer(0.2, lock.unlink).start()
    assert _publish(project)[0].startswith("Pushed")


def test_two_publications_at_once_do_not_mix(project: Path) -> None:
    with exclusive(project / ".git" / "gallery"), pytest.raises(StoreError, match="another build is at work there"):
        _publish(project)


def test_a_commit_that_git_refuses_ends_with_a_message(project: Path) -> None:
    _publish(project)
    (project / ".git" / "objects" / "pack").rename(project / ".git" / "objects" / "packs")
    (project / ".git" / "objects" / "pack").touch()
    with pytest.raises(SiteError, match="git could not"):
        _publish(project)

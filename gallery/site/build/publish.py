"""The finished site -> the branch that GitHub Pages serves."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from pathlib import Path

import ghp_import

from gallery.errors import SiteError
from gallery.site.check.check import Report
from gallery.store.entries import exclusive
from gallery.units import megabytes

_PATIENCE = 2.0
"""Seconds that a lock of git is given to go by itself; git holds them for milliseconds."""


def publish(
    site: Path,
    report: Report,
    root: Path,
    say: Callable[[str], None],
    remote: str = "origin",
    branch: str = "gh-pages",
    history: bool = True,
    dry_run: bool = False,
) -> None:
    """Commit a checked site to a branch and push it, as `mkdocs gh-deploy` does; `.nojekyll` goes with it.

    Without `history` the branch is one commit, replaced each time. Raises SiteError where the check found errors,
    where `root` is in no git repository, or where the push is refused.
    """
    if report.errors:
        raise SiteError("Not published:\n       " + "\n       ".join(report.errors))
    address = _git(root, "remote", "get-url", remote)
    version = _git(root, "rev-parse", "--short", "HEAD", missing="")
    size = f"{report.sizes.files:,} files, {megabytes(report.sizes.bytes)}"
    if dry_run:
        say(f"Would push {size} from {site} to {branch} of {address}.")
        return
    with _whole(root, remote, branch):
        _push(site, root, remote, branch, history, address, version)
    say(f"Pushed {size} to {branch} of {address}.")
    if place := pages_address(address):
        say(f"In a minute or two at {place}, if Pages is set to serve {branch} (Settings, Pages).")


def _push(site: Path, root: Path, remote: str, branch: str, history: bool, address: str, version: str) -> None:
    if history:  # what is there by now, so that the push is a step on from it; nothing, the first time
        _git(root, "fetch", "--quiet", remote, f"+refs/heads/{branch}:refs/remotes/{remote}/{branch}", missing="")
    message = f"Publish the gallery{f' at {version}' if version else ''}"
    try:
        with chdir(root):
            ghp_import.ghp_import(
                str(site.absolute()), mesg=message, remote=remote, branch=branch, push=True, force=False, no_history=not history, nojekyll=True
            )
    except TypeError as error:  # what ghp-import ends with where git fast-import has refused, and said why
        raise SiteError(f"{branch}: git could not commit the site; what it said stands above. Mend that, then run the same command again.") from error
    except (ghp_import.GhpError, subprocess.CalledProcessError, OSError) as error:
        reason = f": {error.message}" if isinstance(error, ghp_import.GhpError) else ""
        raise SiteError(f"{branch} of {address}: git could not push{reason}. Check that you may push there, then run the same command again.") from error


@contextmanager
def _whole(root: Path, remote: str, branch: str) -> Iterator[None]:
    """Keep other publications out meanwhile, and clear away the locks that one which was killed has left with git.

    git's locks are files that say nothing of who holds them. Ours says so, and a mark tells that a publication began and never
    ended; what is locked since then, and still is after a moment, is locked by nobody. Raises SiteError for any other lock.
    """
    folder = Path(root, _git(root, "rev-parse", "--git-common-dir"))
    mark = folder / "gallery" / "publishing"
    with exclusive(mark.parent):
        since = mark.stat().st_mtime_ns if mark.exists() else None
        for lock in (folder / name for name in _locks(remote, branch)):
            _clear(lock, since)
        mark.write_bytes(b"")
        try:
            yield
        finally:
            mark.unlink(missing_ok=True)


def _locks(remote: str, branch: str) -> tuple[str, ...]:
    """Return the locks that publishing meets, within git's folder."""
    return f"refs/heads/{branch}.lock", f"refs/remotes/{remote}/{branch}.lock", "packed-refs.lock", "reftable/tables.list.lock"


def _clear(lock: Path, since: int | None) -> None:
    """Remove a lock that was made since a publication began that never ended, unless it goes by itself.

    Raises SiteError where it may be another's.
    """
    ends = time.monotonic() + _PATIENCE
    while lock.exists():
        if time.monotonic() < ends:
            time.sleep(0.05)
        elif since is not None and lock.stat().st_mtime_ns >= since:
            lock.unlink(missing_ok=True)
        else:
            raise SiteError(f"{lock}: git is at work there, or was killed at it. Wait until it ends; if no git is running, remove that file.")


def pages_address(remote: str) -> str | None:
    """Return where GitHub Pages serves a repository's site, or None for a repository elsewhere."""
    for start in ("https://github.com/", "ssh://git@github.com/", "git@github.com:"):
        if remote.startswith(start):
            owner, _, name = remote.removeprefix(start).removesuffix("/").removesuffix(".git").partition("/")
            own = name.lower() == f"{owner.lower()}.github.io"
            return f"https://{owner.lower()}.github.io/" + ("" if own else f"{name}/")
    return None


def _git(root: Path, *words: str, missing: str | None = None) -> str:
    try:
        done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=True)
    except FileNotFoundError as error:
        raise SiteError("git is not installed, and publishing needs it.") from error
    except subprocess.CalledProcessError as error:
        if missing is not None:
            return missing
        raise SiteError(
            f"{root}: {error.stderr.strip() or 'git failed'}. Publish from a clone of your repository, or name another remote with --remote."
        ) from error
    return done.stdout.strip()

"""Publishes the finished site: pushes it to the branch that GitHub Pages serves."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path

import ghp_import

from gallery.errors import SiteError
from gallery.site.check.report import Report
from gallery.store.entries import exclusive
from gallery.units import megabytes

_PATIENCE = 2.0
"""Seconds to wait for a lock of git, which git holds for milliseconds."""


@dataclass(frozen=True)
class Target:
    """The branch to publish to."""

    remote: str = "origin"
    branch: str = "gh-pages"
    history: bool = True
    """Whether the branch keeps earlier versions; else it is one commit, replaced each time."""


def publish(site: Path, report: Report, root: Path, say: Callable[[str], None], target: Target = Target(), dry_run: bool = False) -> None:
    """Commit a checked site to a branch and push it with a `.nojekyll`, as `mkdocs gh-deploy` does.

    Raises SiteError where the check has found errors, where `root` is in no git repository, or where the push is refused.
    """
    if report.errors:
        raise SiteError("Not published:\n       " + "\n       ".join(report.errors))
    branch, address = target.branch, _git(root, "remote", "get-url", target.remote)
    version = _git(root, "rev-parse", "--short", "HEAD", missing="")
    size = f"{report.sizes.files:,} files, {megabytes(report.sizes.bytes)}"
    if dry_run:
        say(f"Would push {size} from {site} to {branch} of {address}.")
        return
    with _exclusive(root, target):
        _push(site, root, target, address, version)
    say(f"Pushed {size} to {branch} of {address}.")
    if url := pages_address(address):
        say(f"In a minute or two at {url}, if Pages is set to serve {branch} (Settings, Pages).")


def _push(site: Path, root: Path, target: Target, address: str, version: str) -> None:
    remote, branch = target.remote, target.branch
    if target.history:  # the new commit follows the remote's last; the first time there is none
        _git(root, "fetch", "--quiet", remote, f"+refs/heads/{branch}:refs/remotes/{remote}/{branch}", missing="")
    message = f"Publish the gallery{f' at {version}' if version else ''}"
    try:
        with chdir(root):
            ghp_import.ghp_import(
                str(site.absolute()), mesg=message, remote=remote, branch=branch, push=True, force=False, no_history=not target.history, nojekyll=True
            )
    except TypeError as error:  # ghp-import's error where git fast-import has failed and printed the reason
        raise SiteError(f"{branch}: git could not commit the site, for the reason printed above. Mend that, then run the same command again.") from error
    except (ghp_import.GhpError, subprocess.CalledProcessError, OSError) as error:
        reason = f": {error.message}" if isinstance(error, ghp_import.GhpError) else ""
        raise SiteError(f"{branch} of {address}: git could not push{reason}. Check that you may push there, then run the same command again.") from error


@contextmanager
def _exclusive(root: Path, target: Target) -> Iterator[None]:
    """Keep other publications out, and remove the git locks that a killed publication has left.

    git's locks are files that do not name their holder. Our own lock is the system's, and the file `publishing` stays where a
    publication was killed: a git lock that is newer than that file, and still there after a moment, has no holder.
    Raises SiteError for any other lock.
    """
    folder = Path(root, _git(root, "rev-parse", "--git-common-dir"))
    mark = folder / "gallery" / "publishing"
    with exclusive(mark.parent):
        since = mark.stat().st_mtime_ns if mark.exists() else None
        for lock in (folder / name for name in _locks(target)):
            _clear(lock, since)
        mark.write_bytes(b"")
        try:
            yield
        finally:
            mark.unlink(missing_ok=True)


def _locks(target: Target) -> tuple[str, ...]:
    """Return the locks that git takes while publishing, within its folder."""
    return f"refs/heads/{target.branch}.lock", f"refs/remotes/{target.remote}/{target.branch}.lock", "packed-refs.lock", "reftable/tables.list.lock"


def _clear(lock: Path, since: int | None) -> None:
    """Wait for a lock to go; remove it if it is newer than a publication that was killed at the time `since`.

    Raises SiteError where another process may hold it.
    """
    ends = time.monotonic() + _PATIENCE
    while lock.exists():
        if time.monotonic() < ends:
            time.sleep(0.05)
        elif since is not None and lock.stat().st_mtime_ns >= since:
            lock.unlink(missing_ok=True)
        else:
            raise SiteError(f"{lock}: git is at work there, or was killed. Wait until it ends; if no git is running, remove that file.")


def pages_address(remote: str) -> str | None:
    """Return the address of a repository's site on GitHub Pages, or None for a repository elsewhere."""
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

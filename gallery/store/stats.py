"""What a store holds: entries and bytes by kind, the time that its parts took, and what has converged."""

from dataclasses import dataclass, field

from gallery.disk_dict import DiskDict
from gallery.errors import StoreError
from gallery.store.entries import Store
from gallery.store.manifest import read_header, read_rows
from gallery.store.records import Attribution
from gallery.store.timings import read_timings
from gallery.units import duration, megabytes


@dataclass
class Kind:
    """The entries of one kind."""

    entries: int = 0
    bytes: int = 0
    largest: int = 0


@dataclass
class Converged:
    """How the attributions of one method ended, those that have a convergence delta."""

    yes: int = 0
    no: int = 0
    worst: float = 0.0
    """The largest delta, as a share of the change of output."""


@dataclass
class Part:
    """The time that a part of the work took, over all runs that this store has timed."""

    entries: int
    seconds: float


@dataclass
class Stats:
    """What a store holds."""

    passages: int = 0
    """Of the last finished run."""
    model: str = ""
    unused: int = 0
    """Entries that no passage of the last finished run needs: of earlier settings or texts, or of a run that was not finished."""
    damaged: int = 0
    """Entries that were set aside."""
    kinds: dict[str, Kind] = field(default_factory=dict)
    methods: dict[str, Converged] = field(default_factory=dict)
    parts: dict[str, Part] = field(default_factory=dict)
    device: str = ""


def measure_store(store: Store) -> Stats:
    """Go through a store, entry by entry.

    Raises StoreError, naming it, where one of the attributions is damaged, and where there is nothing.
    """
    found = Stats()
    used = DiskDict()
    try:
        header = read_header(store)
        found.model = header.model.resolved
        used.setdefault(header.scripts or "", "")
        for row in read_rows(store):
            found.passages += 1
            for used_key in row.entries.values():
                used.setdefault(used_key, "")
    except StoreError:
        if next(store.entries(), None) is None:
            raise
    for kind, key, size in store.sizes():
        found.unused += used.get(key) is None
        one = found.kinds.setdefault(kind, Kind())
        one.entries, one.bytes, one.largest = one.entries + 1, one.bytes + size, max(one.largest, size)
        if kind == "attribution":
            record = store.read(kind, key)
            assert isinstance(record, Attribution)
            _count(found, record)
    found.damaged = sum(1 for _ in store.files.sizes("damaged"))
    timings = read_timings(store)
    found.device = timings.device
    found.parts = {part: Part(spent.entries, spent.seconds) for part, spent in timings.by_part().items()}
    return found


def _count(found: Stats, record: Attribution) -> None:
    if record.converged is None:
        return
    method = found.methods.setdefault(record.method, Converged())
    if record.converged:
        method.yes += 1
    else:
        method.no += 1
    method.worst = max(method.worst, record.delta_share or 0.0)


def table(found: Stats) -> str:
    """Return it as lines for a reader."""
    size = sum(kind.bytes for kind in found.kinds.values())
    lines = [f"{found.passages:,} passages explained by {found.model or 'no finished run'}; {megabytes(size)} in all.", ""]
    lines.append(f"{'kind':<14} {'entries':>9} {'size':>12} {'each':>12} {'largest':>12}")
    for name, kind in sorted(found.kinds.items(), key=lambda pair: -pair[1].bytes):
        lines.append(f"{name:<14} {kind.entries:>9,} {megabytes(kind.bytes):>12} {megabytes(kind.bytes // kind.entries):>12} {megabytes(kind.largest):>12}")
    if found.parts:
        total = sum(part.seconds for part in found.parts.values())
        lines += ["", f"{'time':<44} {'entries':>9} {'seconds':>10} {'each':>10} {'share':>6}"]
        for name, part in sorted(found.parts.items(), key=lambda pair: -pair[1].seconds):
            each = duration(part.seconds / max(1, part.entries))
            lines.append(f"{name:<44} {part.entries:>9,} {part.seconds:>10,.1f} {each:>10} {part.seconds / max(total, 1e-9):>6.0%}")
        lines.append(f"computed on {found.device}, the last run")
    if found.methods:
        lines += ["", f"{'converged':<44} {'yes':>9} {'no':>10} {'worst':>10}"]
        lines += [f"{name:<44} {one.yes:>9,} {one.no:>10,} {one.worst:>10.2%}" for name, one in sorted(found.methods.items())]
    if found.unused:
        lines += ["", f"{found.unused:,} entries are not needed by these passages: of earlier settings or texts."]
    if found.damaged:
        lines += ["", f"{found.damaged:,} damaged entries were set aside in damaged/; they may be deleted."]
    return "\n".join(lines)

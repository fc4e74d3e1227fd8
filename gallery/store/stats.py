"""Statistics of a store: entries and bytes by kind, time by part, and how many attributions have converged."""

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
    """Number and sizes (bytes) of the entries of a kind."""

    entries: int = 0
    bytes: int = 0
    largest: int = 0


@dataclass
class Converged:
    """How many attributions of a method have converged; only those with a convergence delta count."""

    yes: int = 0
    no: int = 0
    worst: float = 0.0
    """The largest convergence delta, as a share of the change of output."""


@dataclass
class Part:
    """Entries and seconds of a part of the work, over all runs that were timed in this store."""

    entries: int
    seconds: float


@dataclass
class Stats:
    """Statistics of a store."""

    passages: int = 0
    """Passages of the last finished run."""
    model: str = ""
    unused: int = 0
    """Entries that no passage of the last finished run needs: of earlier settings or texts, or of an unfinished run."""
    damaged: int = 0
    """Entries that were set aside as damaged."""
    kinds: dict[str, Kind] = field(default_factory=dict)
    methods: dict[str, Converged] = field(default_factory=dict)
    parts: dict[str, Part] = field(default_factory=dict)
    device: str = ""


def measure_store(store: Store) -> Stats:
    """Return the statistics of a store, reading each attribution.

    Raises StoreError if the store is empty, or, naming the file, if an attribution is damaged.
    """
    stats = Stats()
    used = DiskDict()
    try:
        header = read_header(store)
        stats.model = header.model.resolved
        used.setdefault(header.scripts or "", "")
        for row in read_rows(store):
            stats.passages += 1
            for entry in row.entries.values():
                used.setdefault(entry, "")
    except StoreError:
        if next(store.entries(), None) is None:
            raise
    for kind, key, size in store.sizes():
        stats.unused += used.get(key) is None
        sizes = stats.kinds.setdefault(kind, Kind())
        sizes.entries, sizes.bytes, sizes.largest = sizes.entries + 1, sizes.bytes + size, max(sizes.largest, size)
        if kind == "attribution":
            record = store.read(kind, key)
            assert isinstance(record, Attribution)
            _count(stats, record)
    stats.damaged = sum(1 for _ in store.files.sizes("damaged"))
    timings = read_timings(store)
    stats.device = timings.device
    stats.parts = {part: Part(spent.entries, spent.seconds) for part, spent in timings.by_part().items()}
    return stats


def _count(stats: Stats, record: Attribution) -> None:
    if record.converged is None:
        return
    method = stats.methods.setdefault(record.method, Converged())
    if record.converged:
        method.yes += 1
    else:
        method.no += 1
    method.worst = max(method.worst, record.delta_share or 0.0)


def table(stats: Stats) -> str:
    """Return the statistics as a text table."""
    size = sum(kind.bytes for kind in stats.kinds.values())
    lines = [f"{stats.passages:,} passages explained by {stats.model or 'no finished run'}; {megabytes(size)} in all.", ""]
    lines.append(f"{'kind':<14} {'entries':>9} {'size':>12} {'each':>12} {'largest':>12}")
    for name, kind in sorted(stats.kinds.items(), key=lambda pair: -pair[1].bytes):
        lines.append(f"{name:<14} {kind.entries:>9,} {megabytes(kind.bytes):>12} {megabytes(kind.bytes // kind.entries):>12} {megabytes(kind.largest):>12}")
    if stats.parts:
        total = sum(part.seconds for part in stats.parts.values())
        lines += ["", f"{'time':<44} {'entries':>9} {'seconds':>10} {'each':>10} {'share':>6}"]
        for name, part in sorted(stats.parts.items(), key=lambda pair: -pair[1].seconds):
            each = duration(part.seconds / max(1, part.entries))
            lines.append(f"{name:<44} {part.entries:>9,} {part.seconds:>10,.1f} {each:>10} {part.seconds / max(total, 1e-9):>6.0%}")
        lines.append(f"computed on {stats.device}, the last run")
    if stats.methods:
        lines += ["", f"{'converged':<44} {'yes':>9} {'no':>10} {'worst':>10}"]
        lines += [f"{name:<44} {method.yes:>9,} {method.no:>10,} {method.worst:>10.2%}" for name, method in sorted(stats.methods.items())]
    if stats.unused:
        lines += ["", f"{stats.unused:,} entries are not needed by these passages: of earlier settings or texts."]
    if stats.damaged:
        lines += ["", f"{stats.damaged:,} damaged entries were set aside in damaged/; they may be deleted."]
    return "\n".join(lines)

"""What W&B is told: which artifacts a gallery was made from, and, if wanted, the explanations themselves."""

import os
import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from gallery.config import Settings
from gallery.errors import ConfigError, SourceError, command, install_command, reason
from gallery.sources.artifacts import PREFIX, RETRIES
from gallery.sources.resolve import Source
from gallery.store.archive import pack
from gallery.store.entries import Store
from gallery.store.manifest import EntryName, read_header, read_rows
from gallery.store.records import Prediction

ARTIFACT = "explanations"
COLUMNS = ("id", "title", "work", "true_class", "predicted_class", "probability", "right", "words")


def lineage_of(settings: Settings, sources: Sequence[Source]) -> list[str]:
    """Return the W&B artifacts among the sources, as entity/project/name:version.

    Raises ConfigError where lineage is wanted and there is none.
    """
    found = (re.match(rf"{PREFIX}([\w.-]+/[\w.-]+/[\w.-]+:[\w.-]+)", source.resolved) for source in sources)
    used = list(dict.fromkeys(match[1] for match in found if match))
    if settings.wandb_lineage and not used:
        raise ConfigError("extra.gallery.wandb_lineage: neither model nor tokenizer is a W&B artifact, so there is none. Leave it out.")
    return used


def record_lineage(settings: Settings, used: Sequence[str], store: Store, say: Callable[[str], None]) -> None:
    """Make a W&B run that used the artifacts and, with `wandb_log`, logged the store and a table of the passages.

    The run goes into the project of `wandb_log`, or of the first artifact. Raises SourceError where W&B cannot be told;
    the store is complete by then.
    """
    entity, project = (settings.wandb_log or used[0]).split("/")[:2]
    os.environ.setdefault("WANDB__GRAPHQL_RETRY_MAX", str(RETRIES))
    try:
        import wandb
    except ImportError as error:
        raise SourceError(f"W&B: wandb is not installed. Run: {install_command('explain')}") from error
    try:
        with tempfile.TemporaryDirectory(prefix="gallery-") as folder:
            quiet = wandb.Settings(console="off", silent=True, disable_git=True, save_code=False, x_disable_stats=True, x_disable_meta=True, init_timeout=60)
            with wandb.init(entity=entity, project=project, job_type="explain", dir=folder, settings=quiet) as run:
                for name in used:
                    run.use_artifact(name)
                if settings.wandb_log:
                    artifact = _artifact(wandb, store, Path(folder))
                    logged = run.log_artifact(artifact)
                    logged.wait()
                    say(f"W&B: logged {PREFIX}{entity}/{project}/{logged.name}.")
        if used:
            say(f"W&B: {entity}/{project} knows that this gallery was made from {', '.join(used)}.")
    except (wandb.Error, ValueError, OSError, RuntimeError) as error:
        raise SourceError(
            f"W&B: {entity}/{project} could not be told: {reason(error)}. The store is complete; run {command('explain')} again to tell it."
        ) from error


def _artifact(wandb: Any, store: Store, folder: Path) -> Any:
    header = read_header(store)
    artifact = wandb.Artifact(
        ARTIFACT,
        type=ARTIFACT,
        description="The store of an explanation gallery: gallery store unpack store.tar, then render.",
        metadata={"model": header.model.resolved, "weights_sha256": header.model.weights_digest, "tokenizer_sha256": header.model.tokenizer_digest},
    )
    pack(store.location, folder / "store.tar")
    artifact.add_file(str(folder / "store.tar"))
    artifact.add(wandb.Table(columns=list(COLUMNS), data=_rows(store)), "passages")
    return artifact


def _rows(store: Store) -> list[list[Any]]:
    model = read_header(store).model
    labels = model.labels
    rows = []
    for row in read_rows(store):
        prediction = store.read("prediction", row.entries[EntryName("prediction")])
        assert isinstance(prediction, Prediction)
        said = prediction.verdict(model.threshold)
        probability = float(prediction.probabilities.max())
        names = [" | ".join(labels[number] for number in classes) for classes in (row.truth, said)]
        rows.append([row.id, row.title, row.work, *names, probability, set(said) == set(row.truth), len(prediction.words)])
    return rows

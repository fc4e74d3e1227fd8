"""A batch of passages -> the entries they lack, by calling the rooms that compute each kind."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from gallery.attention import attend
from gallery.attribution import METHODS
from gallery.classifier import Classifier, Encoded
from gallery.config import Settings, method_parameters
from gallery.excerpt import bertviz_excerpt
from gallery.faithfulness import faithfulness
from gallery.plan import Job, Need, Planner
from gallery.records import Attribution, Faithfulness, Prediction, Record
from gallery.store import Store


def explain(classifier: Classifier, batch: Sequence[Job], planner: Planner, store: Store, settings: Settings) -> Iterator[tuple[Need, Record]]:
    """Yield (entry, record) of everything that a batch of passages of like length lacks.

    Raises FloatingPointError where the model answers with something that is no finite number.
    """
    encoded = {job.passage.id: classifier.encode(job.passage.text) for job in batch}
    known: dict[str, Prediction] = {}
    fresh = [job for job in batch if any(need.kind == "prediction" for need in job.missing)]
    if fresh:
        for job, prediction in zip(fresh, classifier.predict([encoded[job.passage.id] for job in fresh]), strict=True):
            known[job.passage.id] = prediction
            yield planner.prediction(job.passage.text), prediction
    missing: dict[str, tuple[Need, ...]] = {}
    for job in batch:
        ident, text = job.passage.id, job.passage.text
        wanted = planner.others(text, known[ident], job.true_class) if ident in known else job.missing
        missing[ident] = tuple(need for need in wanted if not store.has(need.kind, need.key))

    wanting = [ident for ident, needs in missing.items() if any(need.kind == "attention" for need in needs)]
    if wanting:
        for ident, attention in zip(wanting, attend(classifier, [encoded[ident] for ident in wanting], settings.attention), strict=True):
            yield next(need for need in missing[ident] if need.kind == "attention"), attention
    for ident, needs in missing.items():
        for need in needs:
            if need.kind == "bertviz":
                yield need, bertviz_excerpt(classifier, encoded[ident], settings.bertviz_tokens)
    made: dict[str, Attribution] = {}
    for method in settings.methods:
        for need, attribution in _attributions(classifier, method, encoded, missing, settings):
            made[need.key] = attribution
            yield need, attribution
    for job in batch:
        tried = [need for need in missing[job.passage.id] if need.kind == "faithfulness"]
        if tried:
            first = known.get(job.passage.id) or store.read("prediction", planner.prediction(job.passage.text).key)
            assert isinstance(first, Prediction)
            keys = {need.name: need.key for need in planner.others(job.passage.text, first, job.true_class)}
            names = [need.name.replace("faithfulness", "attribution", 1) for need in tried]
            attributions = [made.get(keys[name]) or store.read("attribution", keys[name]) for name in names]
            yield from zip(tried, _faithfulness(classifier, encoded[job.passage.id], attributions, settings), strict=True)


def _attributions(
    classifier: Classifier, method: str, encoded: dict[str, Encoded], missing: dict[str, tuple[Need, ...]], settings: Settings
) -> Iterator[tuple[Need, Attribution]]:
    wanted: dict[str, list[Need]] = defaultdict(list)
    for ident, needs in missing.items():
        for need in needs:
            if need.kind == "attribution" and need.method == method:
                wanted[ident].append(need)
    if not wanted:
        return
    idents = list(wanted)
    found = METHODS[method](
        classifier, [encoded[ident] for ident in idents], [[need.target for need in wanted[ident]] for ident in idents], method_parameters(settings, method)
    )
    for ident, attributions in zip(idents, found, strict=True):
        for need, attribution in zip(wanted[ident], attributions, strict=True):
            yield need, attribution


def _faithfulness(classifier: Classifier, encoded: Encoded, attributions: Sequence[Record], settings: Settings) -> list[Faithfulness]:
    """Try a passage's attributions, all at once because they share the random orders."""
    tried = [attribution for attribution in attributions if isinstance(attribution, Attribution)]
    return faithfulness(classifier, encoded, tried, method_parameters(settings, "faithfulness"))

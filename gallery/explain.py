"""A batch of passages -> the entries they lack, by calling the rooms that compute each kind."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from gallery.attention import attend
from gallery.attribution import METHODS
from gallery.classifier import Classifier, Encoded
from gallery.config import Settings, method_parameters
from gallery.excerpt import bertviz_excerpt
from gallery.faithfulness import chance, faithfulness
from gallery.heads import head_effects
from gallery.plan import Job, Need, Planner, targets_of
from gallery.precision import precision
from gallery.records import Attribution, Prediction, Record
from gallery.store import Store


def explain(classifier: Classifier, batch: Sequence[Job], planner: Planner, store: Store, settings: Settings) -> Iterator[tuple[str, Record]]:
    """Yield (key, record) of everything that a batch of passages of like length lacks.

    Raises FloatingPointError where the model answers with something that is no finite number.
    """
    encoded = {job.passage.id: classifier.encode(job.passage.text) for job in batch}
    missing: dict[str, tuple[Need, ...]] = {}
    fresh = [job for job in batch if any(need.kind == "prediction" for need in job.missing)]
    known: dict[str, Prediction] = {}
    if fresh:
        for job, prediction in zip(fresh, classifier.predict([encoded[job.passage.id] for job in fresh]), strict=True):
            known[job.passage.id] = prediction
            yield planner.prediction(job.passage.text).key, prediction
    for job in batch:
        if job.passage.id in known:
            wanted = planner.others(job.passage.text, known[job.passage.id], job.true_class)
            missing[job.passage.id] = tuple(need for need in wanted if not store.has(need.kind, need.key))
        else:
            missing[job.passage.id] = job.missing

    wanting = [job.passage.id for job in batch if any(need.kind == "attention" for need in missing[job.passage.id])]
    if wanting:
        for ident, attention in zip(wanting, attend(classifier, [encoded[ident].parts[0] for ident in wanting], settings.attention), strict=True):
            yield next(need.key for need in missing[ident] if need.kind == "attention"), attention
    yield from _heads(classifier, batch, encoded, missing, store, planner)
    for ident, needs in missing.items():
        for need in needs:
            if need.kind == "bertviz":
                yield need.key, bertviz_excerpt(classifier, encoded[ident], settings.bertviz_tokens)
    for method in settings.methods:
        yield from _attributions(classifier, method, encoded, missing, settings)
    for job in batch:
        yield from _trials(classifier, job, encoded[job.passage.id], missing[job.passage.id], planner, store, settings)


def _attributions(
    classifier: Classifier, method: str, encoded: dict[str, Encoded], missing: dict[str, tuple[Need, ...]], settings: Settings
) -> Iterator[tuple[str, Record]]:
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
            yield need.key, attribution


def _trials(
    classifier: Classifier, job: Job, encoded: Encoded, needs: Sequence[Need], planner: Planner, store: Store, settings: Settings
) -> Iterator[tuple[str, Record]]:
    """Put a passage's attributions, which are in the store by now, to the test; and random orders beside them."""
    for need in needs:
        if need.kind == "chance":
            yield need.key, chance(classifier, encoded, method_parameters(settings, "chance"))
    wanted = [need for need in needs if need.kind in ("faithfulness", "precision")]
    if not wanted:
        return
    prediction = store.read("prediction", planner.prediction(job.passage.text).key)
    assert isinstance(prediction, Prediction)
    keys = {need.name: need.key for need in planner.others(job.passage.text, prediction, job.true_class)}
    tried = [store.read("attribution", keys[need.name.replace(need.kind, "attribution", 1)]) for need in wanted]
    found = [(need, attribution) for need, attribution in zip(wanted, tried, strict=True) if isinstance(attribution, Attribution)]
    for need, attribution in found:
        if need.kind == "precision":
            yield need.key, precision(classifier, encoded, prediction, attribution, method_parameters(settings, need.method))
    trials = [(need.key, attribution) for need, attribution in found if need.kind == "faithfulness"]
    records = faithfulness(classifier, encoded, [attribution for _, attribution in trials], method_parameters(settings, "faithfulness")) if trials else []
    yield from zip([key for key, _ in trials], records, strict=True)


def _heads(
    classifier: Classifier, batch: Sequence[Job], encoded: dict[str, Encoded], missing: dict[str, tuple[Need, ...]], store: Store, planner: Planner
) -> Iterator[tuple[str, Record]]:
    """Ask how each head of the model moves the scores of the classes that are explained; predictions are in the store by now."""
    wanted = {job: need for job in batch for need in missing[job.passage.id] if need.kind == "heads"}
    if not wanted:
        return
    targets = []
    for job in wanted:
        prediction = store.read("prediction", planner.prediction(job.passage.text).key)
        assert isinstance(prediction, Prediction)
        targets.append(targets_of(prediction, job.true_class))
    found = head_effects(classifier, [encoded[job.passage.id].parts[0] for job in wanted], targets)
    yield from zip([need.key for need in wanted.values()], found, strict=True)

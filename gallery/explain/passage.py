"""A batch of passages -> the entries they lack, by calling the rooms that compute each kind."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from gallery.attention.capture import attend
from gallery.attention.excerpt import bertviz_excerpt
from gallery.attention.heads import head_effects
from gallery.attribution import METHODS
from gallery.config import Settings, method_parameters
from gallery.evaluation.faithfulness import chance, faithfulness
from gallery.evaluation.number_format import compare_with_float32
from gallery.explain.plan import Job, Need, Planner, targets_of
from gallery.model.classifier import Classifier
from gallery.model.tokenized import Tokenized
from gallery.store.entries import Store
from gallery.store.records import Attribution, Prediction, Record


def explain(classifier: Classifier, batch: Sequence[Job], planner: Planner, store: Store, settings: Settings) -> Iterator[tuple[Need, Record]]:
    """Yield (entry, record) of everything that a batch of passages of like length lacks.

    Raises FloatingPointError where the model answers with something that is no finite number.
    """
    encoded = {job.passage.id: classifier.tokenize(job.passage.text) for job in batch}
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
        for ident, attention in zip(wanting, attend(classifier, [encoded[ident].parts[0] for ident in wanting], settings.attention), strict=True):
            yield next(need for need in missing[ident] if need.kind == "attention"), attention
    predictions = {job.passage.id: known.get(job.passage.id) or _read_prediction(store, planner, job) for job in batch if missing[job.passage.id]}
    yield from _heads(classifier, batch, encoded, missing, predictions)
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
        if missing[job.passage.id]:
            yield from _trials(classifier, job, encoded[job.passage.id], missing[job.passage.id], predictions[job.passage.id], made, planner, store, settings)


def _attributions(
    classifier: Classifier, method: str, encoded: dict[str, Tokenized], missing: dict[str, tuple[Need, ...]], settings: Settings
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


def _read_prediction(store: Store, planner: Planner, job: Job) -> Prediction:
    prediction = store.read("prediction", planner.prediction(job.passage.text).key)
    assert isinstance(prediction, Prediction)
    return prediction


def _trials(
    classifier: Classifier,
    job: Job,
    encoded: Tokenized,
    needs: Sequence[Need],
    prediction: Prediction,
    made: Mapping[str, Attribution],
    planner: Planner,
    store: Store,
    settings: Settings,
) -> Iterator[tuple[Need, Record]]:
    """Put a passage's attributions, just made or in the store, to the test; and random orders beside them."""
    for need in needs:
        if need.kind == "chance":
            yield need, chance(classifier, encoded, method_parameters(settings, "chance"))
    wanted = [need for need in needs if need.kind in ("faithfulness", "precision")]
    if not wanted:
        return
    keys = {need.name: need.key for need in planner.others(job.passage.text, prediction, job.true_class)}
    names = [need.name.replace(need.kind, "attribution", 1) for need in wanted]
    tried = [made.get(keys[name]) or store.read("attribution", keys[name]) for name in names]
    found = [(need, attribution) for need, attribution in zip(wanted, tried, strict=True) if isinstance(attribution, Attribution)]
    for need, attribution in found:
        if need.kind == "precision":
            yield need, compare_with_float32(classifier, encoded, prediction, attribution, method_parameters(settings, need.method))
    trials = [(need, attribution) for need, attribution in found if need.kind == "faithfulness"]
    records = faithfulness(classifier, encoded, [attribution for _, attribution in trials], method_parameters(settings, "faithfulness")) if trials else []
    yield from zip([need for need, _ in trials], records, strict=True)


def _heads(
    classifier: Classifier, batch: Sequence[Job], encoded: dict[str, Tokenized], missing: dict[str, tuple[Need, ...]], predictions: Mapping[str, Prediction]
) -> Iterator[tuple[Need, Record]]:
    """Ask how each head of the model moves the scores of the classes that are explained."""
    wanted = {job: need for job in batch for need in missing[job.passage.id] if need.kind == "heads"}
    if wanted:
        targets = [targets_of(predictions[job.passage.id], job.true_class) for job in wanted]
        yield from zip(wanted.values(), head_effects(classifier, [encoded[job.passage.id].parts[0] for job in wanted], targets), strict=True)

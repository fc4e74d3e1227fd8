"""A passage through all steps: the records it lacks, in order."""

from collections.abc import Callable, Iterator

from gallery.explain.needs import Need
from gallery.explain.plan import Job
from gallery.explain.steps import STEPS, Step, calls
from gallery.model.classifier import Classifier
from gallery.model.tokenized import Tokenized
from gallery.store.manifest import EntryName
from gallery.store.records import Prediction, Record


def explain(
    classifier: Classifier, job: Job, with_prediction: Callable[[Job, Prediction], Job], read: Callable[[Need], Record]
) -> Iterator[tuple[Need, Record]]:
    """Yield (need, record) for everything that a passage lacks.

    with_prediction: gives the whole job once the prediction is known, where it was missing; read: gives an entry that the store has.
    Raises FloatingPointError where the model's answer is not finite.
    """
    tokenized = classifier.tokenize(job.passage.text)
    earlier: dict[EntryName, Record] = {}
    first, *others = STEPS
    for need, record in _computed(first, classifier, tokenized, earlier, job, read):
        assert isinstance(record, Prediction)
        yield need, record
        job = with_prediction(job, record)
    for step in others:
        yield from _computed(step, classifier, tokenized, earlier, job, read)


def _computed(
    step: Step, classifier: Classifier, tokenized: Tokenized, earlier: dict[EntryName, Record], job: Job, read: Callable[[Need], Record]
) -> Iterator[tuple[Need, Record]]:
    """Yield what the step computes of the job's missing needs; add it to `earlier`."""
    stored = {need.name: need for need in job.needs}
    for needs in calls(step, job.missing):
        for name in (name for need in needs for name in step.reads(need)):
            if name not in earlier:
                earlier[name] = read(stored[name])
        for need, record in zip(needs, step.compute(classifier, tokenized, earlier, needs), strict=True):
            earlier[need.name] = record
            yield need, record

"""A model run in part: up to a module, watching modules, or on from a module's output."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

from torch import Tensor, nn

Run = Callable[[Tensor], Tensor]
"""Runs the rest of a model: states [B, T, H] -> logits [B, C]."""
RunFrom = Callable[[Mapping[str, Tensor]], AbstractContextManager[Run]]
"""Gives `Run` for the inputs of a batch, inside a `with` block."""


class _Stop(Exception):  # noqa: N818 (a signal, not an error)
    """Ends a forward pass whose remaining layers nobody needs."""


def tensor_of(output: Any) -> Tensor:
    """Return the states in a module's output: the output itself, or the first item of a tuple."""
    states: Tensor = output[0] if isinstance(output, tuple) else output
    return states


@contextmanager
def hooked(modules: Iterable[nn.Module], hook: Callable[..., Any]) -> Iterator[None]:
    """Let a function see, or replace, the output of modules inside the `with` block."""
    handles = [module.register_forward_hook(hook) for module in modules]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def output_of(modules: nn.Module | Iterable[nn.Module], run: Callable[[], object]) -> Tensor:
    """Return the output of a module, or of the first of several, in a forward pass that `run` begins; the pass ends there."""
    outputs: list[Tensor] = []

    def stop(module: nn.Module, arguments: Any, output: Any) -> None:
        outputs.append(tensor_of(output))
        raise _Stop

    with hooked([modules] if isinstance(modules, nn.Module) else modules, stop), suppress(_Stop):
        run()
    return outputs[0]


@contextmanager
def outputs_of(modules: Iterable[nn.Module]) -> Iterator[list[Tensor]]:
    """Give a list that modules append their outputs to, in the order in which they run inside the `with` block."""
    outputs: list[Tensor] = []
    with hooked(modules, lambda module, arguments, output: outputs.append(tensor_of(output))):
        yield outputs


def repeated(inputs: Mapping[str, Tensor], rows: int) -> dict[str, Tensor]:
    """Return the inputs of one passage repeated to `rows` rows; those of several passages as they are."""
    return {name: value.expand(rows, -1) if value.shape[0] == 1 else value for name, value in inputs.items()}


@contextmanager
def resumed(model: Any, module: nn.Module, inputs: Mapping[str, Tensor]) -> Iterator[Run]:
    """Give a function that runs a model on from a layer's output, which it takes as its argument.

    `inputs` are those of one passage, repeated to fit the B rows of the argument, or of B passages.
    """
    current: list[Tensor] = []

    def substitute(module: nn.Module, arguments: Any, output: Any) -> Any:
        return (current[0], *output[1:]) if isinstance(output, tuple) else current[0]

    def run(states: Tensor) -> Tensor:
        current[:] = [states]
        logits: Tensor = model(**repeated(inputs, len(states))).logits
        return logits

    with hooked([module], substitute):
        yield run

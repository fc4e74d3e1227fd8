"""A model run in part: up to a module, watching modules, or on from a module's output."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
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


def output_of(module: nn.Module, run: Callable[[], object]) -> Tensor:
    """Return the output of a module in a forward pass that `run` begins; the pass ends there."""
    outputs: list[Tensor] = []

    def stop(module: nn.Module, arguments: Any, output: Any) -> None:
        outputs.append(tensor_of(output))
        raise _Stop

    handle = module.register_forward_hook(stop)
    try:
        run()
    except _Stop:
        pass
    finally:
        handle.remove()
    return outputs[0]


@contextmanager
def outputs_of(modules: Iterable[nn.Module]) -> Iterator[list[Tensor]]:
    """Give a list that modules append their outputs to, in the order in which they run inside the `with` block."""
    outputs: list[Tensor] = []
    handles = [module.register_forward_hook(lambda module, arguments, output: outputs.append(tensor_of(output))) for module in modules]
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def resumed(model: Any, module: nn.Module, inputs: Mapping[str, Tensor]) -> Iterator[Run]:
    """Give a function that runs a model on from a module's output, which it takes as its argument.

    `inputs` are those of one passage, repeated to fit the B rows of the argument, or of B passages.
    """
    current: list[Tensor] = []

    def substitute(module: nn.Module, arguments: Any, output: Any) -> Any:
        return (current[0], *output[1:]) if isinstance(output, tuple) else current[0]

    def run(states: Tensor) -> Tensor:
        current[:] = [states]
        repeated = {name: value.expand(states.shape[0], -1) if value.shape[0] == 1 else value for name, value in inputs.items()}
        logits: Tensor = model(**repeated).logits
        return logits

    handle = module.register_forward_hook(substitute)
    try:
        yield run
    finally:
        handle.remove()

"""Builds in children of a process that has imported everything: a fork in place of five seconds of imports.

The parent computes nothing with torch and starts no thread, so a child is a build like any other from there on.
"""

import ctypes
import importlib
import os
import signal
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any

os.environ |= {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "WANDB_SILENT": "true", "NO_MKDOCS_2_WARNING": "1"}

from gallery.cli import main

LONG_TEXTS = 420
"""Characters of a passage: two go into one batch."""


def make(folder: Path, passages: int) -> Path:
    """Write a gallery of a tiny real classifier and so many passages; return its mkdocs.yml."""
    from tests.support.galleries import TEXTS, make_gallery

    def write() -> None:
        from tests.support.models import save_tiny_classifier

        save_tiny_classifier(folder / "model")

    folder.mkdir()
    assert wait(start(write, folder / "log")) == 0, (folder / "log").read_text("utf-8")
    settings = "    methods: [integrated_gradients, gradient_x_input]\n    random_orders: 2\n    bertviz_tokens: 8\n"
    config = make_gallery(folder / "gallery", folder / "model", settings=settings)
    places = config.parent / "site_src" / "passages"
    for number, (author, title, text) in enumerate(islice(cycle(TEXTS.values()), passages)):
        long = f"{number + 1}. {text} " * (LONG_TEXTS // len(text) + 1)
        (places / f"long-{number}.md").write_text(f"---\ntrue_class: {author}\ntitle: {title} {number}\n---\n{long[:LONG_TEXTS]}\n", "utf-8")
    for ident in TEXTS:
        (places / f"{ident}.md").unlink()
    return config


def command(*words: object) -> Callable[[], None]:
    """Return a command of build.py as a function that ends as the program would."""
    return lambda: main([str(word) for word in words], prog_name="build.py")


def start(what: Callable[[], None], log: Path, marks: Mapping[str, Sequence[str]] | None = None, pipe: int = -1, ordinary: bool = False) -> int:
    """Run something in a child, in a session of its own; return its process id.

    What it says goes to `log`. With `marks`, the child writes the number of a phase to `pipe` whenever a function of that phase
    is called. `ordinary` takes the child's power to pass over permissions, if it is root.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child:
        return child
    status = 70
    try:
        os.setsid()
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        if ordinary:
            _drop_powers()
        for number, functions in enumerate((marks or {}).values()):
            for function in functions:
                _mark(function, pipe, bytes([number]))
        what()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def wait(child: int) -> int:
    """Return a child's exit status; negative for the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def kill(child: int) -> int:
    """Kill a child and all it has started, with SIGKILL; return its exit status, which is 0 if it had ended by then."""
    try:
        os.killpg(child, signal.SIGKILL)
    except ProcessLookupError:
        os.kill(child, signal.SIGKILL)
    return wait(child)


def _mark(function: str, pipe: int, mark: bytes) -> None:
    """Let a function, wherever it has been imported to by now, write a mark each time it is called."""
    module, _, path = function.partition(":")
    found: Any = importlib.import_module(module)
    for name in path.split("."):
        found = getattr(found, name)
    whole = types.FunctionType(found.__code__, found.__globals__, found.__name__, found.__defaults__, found.__closure__)
    whole.__kwdefaults__ = found.__kwdefaults__

    def marked(*args: Any, **options: Any) -> Any:
        os.write(pipe, mark)
        return whole(*args, **options)

    found.__globals__[f"_marked_{found.__name__}"] = marked
    space: dict[str, Any] = {}
    exec(f"def stand_in(*args, **options): return _marked_{found.__name__}(*args, **options)", space)
    found.__code__ = space["stand_in"].__code__


def _drop_powers() -> None:
    """Give up CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, by which root passes over permissions; nothing for other users."""
    if os.geteuid() or sys.platform != "linux":
        return
    library = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this process
    data = (ctypes.c_uint32 * 6)()
    if library.capget(header, data):
        raise OSError(ctypes.get_errno(), "capget")
    for part in (0, 1):  # effective, permitted
        data[part] &= ~0b110
    if library.capset(header, data):
        raise OSError(ctypes.get_errno(), "capset")

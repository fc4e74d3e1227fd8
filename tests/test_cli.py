"""Commands, options, and what they say to wrong input: one message, exit status 1."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from gallery.cli import main
from gallery.config import Settings
from tests.support.galleries import make_gallery, run

Tiny = Callable[[str], Path]
ROOT = Path(__file__).parents[1]


def test_every_command_and_option_explains_itself() -> None:
    commands = dict(main.commands)
    while commands:
        name, command = commands.popitem()
        assert command.help, name
        for option in command.params:
            if isinstance(option, click.Argument):
                assert option.make_metavar(click.Context(command)).strip("[]") in command.help, f"{name} {option.name}"
            else:
                assert isinstance(option, click.Option)
                assert option.help, f"{name} {option.name}"
        if isinstance(command, click.Group):
            commands |= {f"{name} {inner}": found for inner, found in command.commands.items()}


def test_every_key_of_the_settings_is_an_option_of_build() -> None:
    flags = {flag for option in main.commands["build"].params for flag in option.opts}
    for name in Settings.model_fields:
        flag = "--" + name.replace("_", "-")
        assert any(known == flag or known.startswith(flag + "-") for known in flags), name


def test_short_help_works_everywhere() -> None:
    for arguments in (["-h"], *([name, "-h"] for name in main.commands)):
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 0
        assert "Usage" in result.output


def refused(config: Path, *arguments: str) -> str:
    """Run a command that must fail with one message and without a traceback; return the message."""
    result = run(config, *arguments)
    assert result.exit_code == 1, result.output
    assert "Traceback" not in result.output
    return result.output


def test_an_unknown_key_is_named(tmp_path: Path) -> None:
    config = make_gallery(tmp_path, tmp_path, settings="    stepz: 3\n")
    message = refused(config)
    assert "mkdocs.yml: extra.gallery.stepz: no such key" in message


def test_a_value_out_of_range_is_named(tmp_path: Path) -> None:
    config = make_gallery(tmp_path, tmp_path)
    config.write_text(config.read_text("utf-8").replace("n_steps: 8", "n_steps: many"), "utf-8")
    assert "extra.gallery.n_steps" in refused(config)


def test_a_missing_configuration_says_where_to_look(tmp_path: Path) -> None:
    assert "--config-file" in refused(tmp_path / "mkdocs.yml")


def test_broken_yaml_is_named(tmp_path: Path) -> None:
    config = tmp_path / "mkdocs.yml"
    config.write_text("extra: [", "utf-8")
    assert "not valid YAML" in refused(config)


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    message = refused(make_gallery(tmp_path, tmp_path / "nowhere"))
    assert "nowhere" in message
    assert "extra.gallery.model" in message


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:1000])


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda model: (model / "config.json").write_text("{"), "config.json is damaged"),
        (lambda model: (model / "model.safetensors").unlink(), "no weights. It needs model.safetensors"),
        (lambda model: [(model / name).unlink() for name in ("tokenizer.json", "tokenizer_config.json")], "no tokenizer.json or vocab.txt"),
        (lambda model: _truncate(model / "model.safetensors"), "the model cannot be loaded"),
    ],
    ids=["config", "weights", "tokenizer", "truncated"],
)
def test_damaged_model_files_are_named(tiny: Tiny, tmp_path: Path, damage: Callable[[Path], object], complaint: str) -> None:
    model = shutil.copytree(tiny("bert"), tmp_path / "model")
    config = make_gallery(tmp_path / "gallery", model)
    damage(model)
    assert f"{model}: {complaint}" in refused(config)
    assert not (tmp_path / "gallery" / "site").exists()
    assert not list((tmp_path / "gallery").rglob("*.safetensors"))


@pytest.mark.parametrize(("labels", "complaint"), [("{7: Пушкин}", "has classes 0 to 2"), ("{0: Чехов}", "names two classes")])
def test_labels_that_do_not_fit_are_named(tiny: Tiny, tmp_path: Path, labels: str, complaint: str) -> None:
    assert complaint in refused(make_gallery(tmp_path, tiny("bert"), settings=f"    labels: {labels}\n"))


def test_a_bad_passage_ends_with_status_1_and_the_others_are_built(tiny: Tiny, tmp_path: Path) -> None:
    config = make_gallery(tmp_path, tiny("bert"))
    bad = tmp_path / "site_src" / "passages" / "bad.md"
    bad.write_text("---\ntrue_class: Никто\ntitle: x\n---\nТекст.\n", "utf-8")
    message = refused(config)
    assert "passages/bad.md: true_class: 'Никто' is no class of the model" in message
    assert (tmp_path / "site" / "passages" / "white-wall" / "index.html").is_file()
    assert not (tmp_path / "site" / "passages" / "bad").exists()


def test_render_before_explain_says_what_to_run(tiny: Tiny, tmp_path: Path) -> None:
    assert "python build.py explain" in refused(make_gallery(tmp_path, tiny("bert")), "render")


@pytest.mark.posix
def test_no_space_left_is_one_message_and_leaves_no_half_file(tiny: Tiny, tmp_path: Path) -> None:
    """A limit on file size makes every write past it fail as a full disk does."""
    config = make_gallery(tmp_path, tiny("bert"))
    script = (
        "import resource, signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nresource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))\n"
        "from gallery.cli import main\nmain()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "explain", "-f", str(config)], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert "Make room" in done.stderr
    assert not list((tmp_path / "store").rglob(".writing-*"))


def _answer_interrupts() -> None:
    """A shell lets what it starts in the background ignore SIGINT; whoever presses Ctrl-C sits in front."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.posix
def test_an_interrupted_run_goes_on_where_it_stopped(tiny: Tiny, tmp_path: Path) -> None:
    config = make_gallery(tmp_path, tiny("bert"))
    table = tmp_path / "many.jsonl"
    table.write_text("".join(json.dumps({"id": f"p{n}", "true_class": "0", "text": f"Дорога {n}. " * 20}) + "\n" for n in range(60)), "utf-8")
    command = [sys.executable, str(ROOT / "build.py"), "explain", "-f", str(config), "--passages", "many.jsonl", "--n-steps", "100"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=_answer_interrupts)
    assert process.stderr is not None
    while "explaining" not in (line := process.stderr.readline()):
        assert line, "ended before anything was explained"
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in rest
    assert "goes on from there" in rest
    again = run(config, "explain", "--passages", "many.jsonl", "--n-steps", "100")
    assert again.exit_code == 0
    explained = int(again.stdout.split(" of 60")[0].split()[-1])
    assert 0 < explained < 60


def test_two_builds_in_one_folder_do_not_meet(tiny: Tiny, tmp_path: Path) -> None:
    from gallery.store.entries import exclusive

    config = make_gallery(tmp_path, tiny("bert"))
    with exclusive(tmp_path / "store"):
        assert "another build is at work" in refused(config, "explain")
    assert run(config, "explain").exit_code == 0


@pytest.mark.posix
def test_the_live_preview_answers(tiny: Tiny, tmp_path: Path) -> None:
    import urllib.request

    config = make_gallery(tmp_path, tiny("bert"))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, str(ROOT / "build.py"), "serve", "-f", str(config), "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, preexec_fn=_answer_interrupts)
    assert process.stdout is not None
    try:
        while "Serving" not in (line := process.stdout.readline()):
            assert line, "ended before serving"
        deadline, page = time.monotonic() + 60, ""
        while 'class="g-passage"' not in page:  # until the passage is explained, another page keeps its place
            assert time.monotonic() < deadline, page
            time.sleep(0.2)
            with contextlib.suppress(OSError):
                page = urllib.request.urlopen(f"http://127.0.0.1:{port}/passages/white-wall/").read().decode()
        assert "Белая стена" in page
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)

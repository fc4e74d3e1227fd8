"""The commands of build.py, which the installed `gallery` shares.

Longer than most modules: it holds every command with its options and its help, and nothing else.
"""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from gallery import __version__
from gallery.config import Settings
from gallery.errors import GalleryError, command, install_command
from gallery.files import store_location
from gallery.halves import build_gallery, explain_passages, is_finished, open_store, render_site
from gallery.mkdocs_config import read_mkdocs_config
from gallery.options import configured
from gallery.store.entries import Store, exclusive
from gallery.store.manifest import has_manifest

if TYPE_CHECKING:
    from gallery.explain.progress import Log
    from gallery.explain.stages import Follow

_BUILD = "build"


class _Commands(click.Group):
    """A group in which leaving the command out means `build`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        asks_about_group = args and args[0] in {"-h", "--help", "--version"}
        if not asks_about_group and not (args and args[0] in self.commands):
            if args and not args[0].startswith("-"):
                raise click.UsageError(f"No such command {args[0]!r}. Commands: {', '.join(sorted(self.commands))}.", ctx)
            args = [_BUILD, *args]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("\nStopped. Everything finished so far is in the store; the same command goes on from there.", err=True)
            sys.exit(130)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, prog_name="gallery")
def main() -> None:
    """Make a transformer text classifier explain itself in a static site.

    Without a command: explain what is new and render the site (`build`). Every key of `extra.gallery` in mkdocs.yml
    is also an option; options win.
    """


def _explaining(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that all explaining commands share."""
    log = click.option("--log-json", metavar="FILE", help="Also write progress as JSON, an object on each line, to FILE; - for stderr.")
    plan = click.option("--plan", is_flag=True, help="Say what would be explained, why, and how long it would take; do nothing.")
    return plan(log(command))


@main.command(_BUILD)
@_explaining
@click.option("--in-one-go", is_flag=True, help="Render the site once, at the end; without it, a first one is there as soon as its pages can be read.")
@configured
def build(settings: Settings, config_file: Path, plan: bool, log_json: str | None, in_one_go: bool) -> None:
    """Explain what is new, then render the site."""
    if plan:
        _end(_explain(settings, config_file, plan, log_json))
        return
    with _explaining_packages(settings), _json_log(log_json) as log:
        problems, errors = build_gallery(settings, config_file, log, in_one_go)
    if settings.incomplete:
        for problem in problems:
            click.echo(f"Warning: {problem}", err=True)
        problems = []
    _end(list(dict.fromkeys([*problems, *errors])))


@main.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--model", help="The classifier: a folder, a hub id (org/name@revision), wandb:entity/project/name:version. Asked for where it is missing.")
@click.option("--tokenizer", help="Source of the tokenizer, if the model has none.")
@click.option("--passages", type=click.Path(path_type=Path), help="CSV, JSONL or Parquet table, or a folder, to copy; without it, three samples are written.")
@click.option("--language", type=click.Choice(["ru", "en"]), help="Language of the pages.")
@click.option("--name", help="Name of the site; without it, that of the folder.")
@click.option("--demo", is_flag=True, help="The demo gallery with three of its passages, from a clone of the repository.")
@click.option("--clone", type=click.Path(exists=True, file_okay=False, path_type=Path), help="The clone for --demo, where the package is not in one.")
def new(
    folder: Path, model: str | None, tokenizer: str | None, passages: Path | None, language: str | None, name: str | None, demo: bool, clone: Path | None
) -> None:
    """Begin a gallery in FOLDER: look into model and passages, say what was found, and write the files to start from.

    Asks for what no option gives, if there is somebody to answer. Writes nothing where model or passages cannot be used.
    """
    from gallery.beginning.found import Found, describe
    from gallery.beginning.write import Wish, begin, demo_wish

    asks = sys.stdin.isatty()
    if demo:
        wish = demo_wish(clone, name, language)
    else:
        if model is None and not asks:
            raise click.UsageError("Name the classifier with --model, or take the demo's with --demo.")
        model = model or click.prompt("Model (a folder, a hub id, or wandb:…)")
        if passages is None and asks:
            answer = click.prompt("Passages (a table or a folder; empty for three samples)", default="", show_default=False)
            passages = Path(answer) if answer else None
        language = language or (click.prompt("Language of the pages", type=click.Choice(["ru", "en"]), default="en") if asks else "en")
        name = name or folder.absolute().name.replace("-", " ").replace("_", " ").capitalize()
        wish = Wish(name, language, str(model), tokenizer, passages)

    def confirm(found: Found) -> None:
        click.echo("\n".join(describe(found)))
        if not found.passages:
            raise GalleryError("No passage could be used, so nothing was written. Mend the problems above, and run the same command again.")
        if asks and not click.confirm(f"Write the gallery to {folder}?", default=True):
            raise click.Abort

    try:
        files = begin(folder, wish, confirm)
    except ImportError as error:
        raise _lacking(error, "looking into a model") from error
    click.echo(f"{len(files)} files in {folder}. Then:\n\n    cd {folder}\n    {command('serve')}")


@main.command()
@_explaining
@configured
def explain(settings: Settings, config_file: Path, plan: bool, log_json: str | None) -> None:
    """Compute the entries that the store lacks; needs the extra `explain`."""
    _end(_explain(settings, config_file, plan, log_json))


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@configured
def stats(settings: Settings, config_file: Path, as_json: bool) -> None:
    """Print statistics of the store: entries and bytes by kind, time by part, and how many attributions converged."""
    from gallery.store.stats import measure_store, table

    stats = measure_store(Store(store_location(settings.store, config_file.parent)))
    click.echo(json.dumps(asdict(stats), ensure_ascii=False, indent=1) if as_json else table(stats))


@main.command()
@configured
def render(settings: Settings, config_file: Path) -> None:
    """Write the site from the store alone; needs no torch."""
    _end(render_site(settings, config_file))


@main.command()
@click.option("--port", default=8000, show_default=True, help="Port on this machine.")
@configured
def serve(settings: Settings, config_file: Path, port: int) -> None:
    """Show the site here at once, and render it again as passages are explained, and whenever a page, a passage or a setting changes."""
    from gallery.explain.stages import Follow
    from gallery.site.build.serving import Work, serve_site

    def explain(work: Work) -> list[str]:
        follow = Follow(work.readable, not is_finished(settings, config_file), work.early, work.working, work.stopped)
        return _explain(settings, config_file, follow=follow)

    serve_site(settings, config_file, port, explain)


@main.command()
@configured
@click.argument("source", metavar="[MODEL]", required=False)
@click.option("--store", "store_folder", is_flag=False, flag_value="", help="Check the store instead of the site; give a folder to check another store.")
def check(settings: Settings, config_file: Path, source: str | None, store_folder: str | None) -> None:
    """Check the finished site: broken links, other hosts, sizes, missing passages.

    Before anything is explained: look into the model, the tokenizer and the passages, and say what is found and what is wrong.
    With MODEL, or --model: load that model, and say what it is and how it reads the passages, before anything is explained; needs the
    extra `explain`, but no mkdocs.yml. With --store: verify the checksum of every file of the store, and change nothing.
    """
    from gallery.site.check.report import check_gallery
    from gallery.site.check.sizes import table
    from gallery.store.audit import audit

    if source or click.get_current_context().get_parameter_source("model") is ParameterSource.COMMANDLINE:
        _end(_check_model(settings, config_file))
        return
    if store_folder is not None:
        folder = store_location(store_folder or settings.store, config_file.parent)
        result = audit(Store(folder))
        click.echo(f"{result.sound:,} of {result.files:,} files of {folder} are sound.")
        for note in result.notes:
            click.echo(f"Warning: {note}", err=True)
        _end(result.damage)
        return

    if not has_manifest(open_store(settings, config_file)):
        _check_sources(settings, config_file)
        return
    report = check_gallery(settings, config_file)
    click.echo(table(report.sizes))
    for warning in report.warnings:
        click.echo(f"Warning: {warning}", err=True)
    _end(report.errors)


@main.command()
@click.argument("passage", metavar="ID")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--layers", help="Layers whose attention can be opened: all, none, or numbers such as 1,4. Without it: all, if the file stays under 5 MB.")
@configured
def export(settings: Settings, config_file: Path, passage: str, file: Path, layers: str | None) -> None:
    """Write the page of the passage ID to FILE, which needs no other file and no network; needs no torch."""
    from gallery.site.build.export import export_page

    done = export_page(Store(store_location(settings.store, config_file.parent)), config_file, passage, file, layers)
    held = f"attention of {len(done.layers)} {'layer' if len(done.layers) == 1 else 'layers'}" if done.layers else "no attention data"
    click.echo(f"{passage} in {file}: {done.size / 1e6:,.2f} MB with {held}.")
    if layers is None and done.whole > done.size:
        click.echo(f"With all layers it would be {done.whole / 1e6:,.1f} MB: --layers all, or some, as in --layers 1,6.", err=True)


@main.command()
@click.option("--id", "idents", multiple=True, metavar="ID", help="Passage to explain again; may be given several times. Without it, --count passages.")
@click.option("--count", type=click.IntRange(min=1), default=3, show_default=True, help="How many passages, evenly spread over the gallery.")
@configured
def sanity(settings: Settings, config_file: Path, idents: tuple[str, ...], count: int) -> None:
    """Randomise the model layer by layer, and measure whether the explanations change.

    Tries the configured methods on a few explained passages. Each passage costs as many explanations as the model has layers,
    and three more. The next `render` puts the result on the page of methods.
    """
    try:
        from gallery.explain.sanity_command import sanity_all
    except ImportError as error:
        raise _lacking(error, "randomising") from error
    with exclusive(store_location(settings.store, config_file.parent)):
        click.echo(sanity_all(settings, config_file.parent, idents, count))
    click.echo(f"In the store. To put it on the page of methods, run: {command('render')}")


@main.command()
@click.option("--id", "idents", multiple=True, metavar="ID", help="Passage to verify; may be given several times. Without it, --count passages.")
@click.option("--all", "every", is_flag=True, help="Verify every passage.")
@click.option("--count", type=click.IntRange(min=1), default=3, show_default=True, help="How many passages, spread over the lengths.")
@configured
def verify(settings: Settings, config_file: Path, idents: tuple[str, ...], every: bool, count: int) -> None:
    """Compute attributions again by Captum's own classes on the plain model, and say how far ours are from them.

    For the predicted class of each passage, the shortest passage first. A difference above 3 % of the largest contribution is an
    error. An interrupted run goes on where it stopped. The next `render` puts the result on the pages.
    """
    try:
        from gallery.explain.verify_command import verify_all
    except ImportError as error:
        raise _lacking(error, "verifying") from error
    with exclusive(store_location(settings.store, config_file.parent)):
        table, problems = verify_all(settings, config_file.parent, idents, every, count)
    click.echo(table)
    click.echo(f"In the store. To put it on the pages, run: {command('render')}")
    _end(problems)


@main.command()
@click.option("--table", type=click.Path(path_type=Path), required=True, help="Texts and their true_class, which the model was not trained on.")
@click.option("--outside", type=click.Path(path_type=Path), help="Texts of none of the classes; they choose the score for somebody else's texts.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder for calibration.json; without it, the model's own.")
@configured
def calibrate(settings: Settings, config_file: Path, table: Path, outside: Path | None, out: Path | None) -> None:
    """Measure how far the model's probabilities can be trusted, and write calibration.json beside it.

    Pages then say how often the model is right when so sure, which classes cannot be ruled out, and what looks like
    somebody else's. Both tables are as in `passages`: id, true_class, text.
    """
    try:
        from gallery.explain.calibrate_command import calibrate_model
    except ImportError as error:
        raise _lacking(error, "calibrating") from error
    click.echo(calibrate_model(settings, config_file.parent, table, outside, out))


@main.command()
@click.option("--remote", default="origin", show_default=True, help="Remote to push to.")
@click.option("--branch", default="gh-pages", show_default=True, help="Branch that Pages serves.")
@click.option("--history/--no-history", default=True, help="Keep earlier versions on the branch, or replace them all by a single commit.")
@click.option("--dry-run", is_flag=True, help="Check, and say what would be pushed.")
@configured
def publish(settings: Settings, config_file: Path, remote: str, branch: str, history: bool, dry_run: bool) -> None:
    """Push the site to the branch that GitHub Pages serves, if the check passes."""
    from gallery.site.build.publish import Target
    from gallery.site.build.publish import publish as push
    from gallery.site.check.report import check_gallery

    report = check_gallery(settings, config_file)
    push(read_mkdocs_config(config_file).site_dir, report, config_file.parent, click.echo, Target(remote, branch, history), dry_run)


@main.command()
@click.argument("source")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--tokenizer", help="Source of the tokenizer, if the model has none.")
def convert(source: str, folder: Path, tokenizer: str | None) -> None:
    """Write a copy of a model to FOLDER, its weights as safetensors and its tokenizer beside them.

    SOURCE is a folder, a hub id (org/name@revision), wandb:entity/project/name:version, or the name of another kind of source.
    """
    try:
        from gallery.model.convert import convert as write
    except ImportError as error:
        raise _lacking(error, "converting") from error
    from gallery.sources.resolve import resolve_model, resolve_tokenizer

    model = resolve_model(source, Path())
    write(model, resolve_tokenizer(tokenizer or source, Path()), folder)
    click.echo(f"{model.resolved} in {folder}, as safetensors.")


@main.command()
@click.option("--base", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True, help="Pretrained BERT to start from.")
@click.option("--corpus", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True, help="Folder of <author>/<work>.txt.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder for the classifier, its checkpoint and figures.json.")
@click.option("--table", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="CSV of author, work, role; role `reference` is for the test.")
@click.option("--steps", default=2000, show_default=True, help="Optimisation steps.")
@click.option("--minutes", type=float, help="End after so many minutes, if the steps are not done by then.")
@click.option("--seed", default=0, show_default=True, help="Seed of all that is random.")
@click.option("--device", default="auto", show_default=True, help="auto (CUDA, then MPS, then CPU) or a torch device name.")
def train(base: Path, corpus: Path, out: Path, table: Path | None, steps: int, minutes: float | None, seed: int, device: str) -> None:
    """Fine-tune an author classifier on a corpus, and evaluate it on works that it has not seen.

    A killed run continues from its checkpoint when the same command is given again.
    """
    try:
        from gallery.training.train import train as fine_tune
    except ImportError as error:
        raise _lacking(error, "training", "explain,train") from error
    fine_tune(base, corpus, out, table=table, steps=steps, minutes=minutes, seed=seed, device=device)


@main.group()
def store() -> None:
    """Pack a store into a file on the machine that explains, and unpack it on the machine that renders."""


@store.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--everything", is_flag=True, help="Also pack the entries of earlier settings; without it, only those that the pages need.")
@configured
def pack(settings: Settings, config_file: Path, file: Path, everything: bool) -> None:
    """Write the store to FILE (.tar or .tar.gz); the same store gives the same bytes."""
    from gallery.store.archive import pack as write

    files, size = write(store_location(settings.store, config_file.parent), file, everything)
    click.echo(f"{files:,} files, {size / 1e6:,.1f} MB in {file}.")


@store.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@configured
def unpack(settings: Settings, config_file: Path, file: Path) -> None:
    """Unpack the store in FILE to the configured folder, and verify every byte."""
    from gallery.store.archive import unpack as read

    folder = Store(store_location(settings.store, config_file.parent)).folder
    click.echo(f"{read(file, folder):,} files in {folder}.")


def _check_sources(settings: Settings, config_file: Path) -> None:
    """Look into what a first build would read."""
    try:
        from gallery.beginning.found import look
    except ImportError as error:
        raise _lacking(error, "looking into a model") from error
    found = look(settings, config_file.parent)
    click.echo("\n".join(found.lines))
    _end(found.problems)
    click.echo(f"Nothing is explained yet. Run: {command()}")


def _lacking(error: ImportError, doing: str, extra: str = "explain") -> GalleryError:
    return GalleryError(f"{error.name or error} is not installed, and {doing} needs it. Run: {install_command(extra)}")


def _explain(settings: Settings, config_file: Path, plan: bool = False, log_json: str | None = None, follow: "Follow | None" = None) -> list[str]:
    with _explaining_packages(settings), _json_log(log_json) as log:
        if not plan:
            return explain_passages(settings, config_file, log, follow)
        from gallery.explain.run import plan_all

        return plan_all(settings, config_file.parent, log).problems.messages()


@contextmanager
def _explaining_packages(settings: Settings) -> Iterator[None]:
    """Name the extra that is not installed, where explaining needs it."""
    try:
        yield
    except ImportError as error:
        raise _lacking(error, "explaining", "explain,ray" if settings.engine == "ray" else "explain") from error


def _check_model(settings: Settings, config_file: Path) -> list[str]:
    try:
        from gallery.model.report import describe_model
    except ImportError as error:
        raise _lacking(error, "loading a model") from error
    lines, problems = describe_model(settings, config_file)
    click.echo("\n".join(lines))
    return problems


@contextmanager
def _json_log(target: str | None) -> "Iterator[Log]":
    from gallery.explain.progress import json_log

    with json_log(target) as log:
        yield log


def _end(problems: list[str]) -> None:
    """End with status 1 and all problems as the last lines, if there are any."""
    if problems:
        raise GalleryError("\n       ".join(problems))

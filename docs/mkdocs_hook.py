"""Adds the pages and pictures of docs/ to its own site, and the page of methods; MkDocs allows no docs_dir that holds the configuration file."""

from pathlib import Path

from generate import methods_page
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Return the files of reference/, those of docs/, and the page of methods."""
    for path in sorted(Path(__file__).parent.iterdir()):
        if path.suffix in {".md", ".svg"}:
            files.append(File.generated(config, path.name, abs_src_path=str(path)))
    files.append(File.generated(config, "methods.md", content=methods_page()))
    return files

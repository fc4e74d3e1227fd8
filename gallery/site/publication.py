"""The publication that a gallery is: its name, author, address and language, from mkdocs.yml."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

from gallery.mkdocs_config import read_mkdocs_config


@dataclass(frozen=True)
class Publication:
    """Where the gallery is published, and under whose name."""

    language: str
    """Material's code of the interface language."""
    name: str
    """The site's name."""
    author: str = ""
    """`site_author` of mkdocs.yml; without it the gallery is its own author."""
    url: str = ""
    """`site_url`, with a slash at the end; empty where it is unknown."""
    description: str = ""
    year: str = ""
    """From SOURCE_DATE_EPOCH; empty without it, since no clock is read."""

    def address(self, ident: str) -> str:
        """Return the address of a passage's page, or nothing where the site's address is unknown."""
        return f"{self.url}passages/{ident}/" if self.url else ""


def read_publication(config_file: Path) -> Publication:
    """Return the publication that a mkdocs.yml describes.

    Raises ConfigError where it cannot be read.
    """
    config = read_mkdocs_config(config_file)
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH") or 0)
    return Publication(
        language=config.language,
        name=config.site_name,
        author=config.site_author,
        url=config.site_url,
        description=config.site_description,
        year=time.strftime("%Y", time.gmtime(epoch)) if epoch else "",
    )

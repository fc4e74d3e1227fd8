"""Explanation Gallery: a static site in which a text classifier explains itself."""

__version__ = "0.2.0.dev0"

"""Passages: texts with their true class, read from Markdown files, tables or references into other texts.

In: the paths named in the configuration. Out: `Passage` values, and a `PassageError` for each entry that cannot be used. Torch: never.
"""

"""Passages: texts with their true class, read from Markdown, tables or references.

In: files named in the configuration. Out: `Passage` values, or a `PassageError` in the place of one that cannot be used. Torch: never.
"""

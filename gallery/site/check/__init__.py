"""Checks of a finished site: links, hosts, sizes, missing pages.

In: a folder of finished pages. Out: errors, warnings and sizes. Torch: never.
"""

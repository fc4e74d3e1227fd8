"""Checks of a finished site: links, hosts, policy, sizes.

In: a folder of finished pages. Out: errors, warnings and sizes. Torch: never.
"""

"""The store: records of what was computed, their form on disk, the manifest, timings, statistics and archive.

In: records. Out: a file for each record, named by a digest of its inputs and with its own checksum, and a manifest of the passages. Torch: never.
"""

"""The store: records, their form on disk, and what is known of the whole.

In: records. Out: files named by what they depend on, each with its own checksum, and a manifest of the passages. Torch: never.
"""

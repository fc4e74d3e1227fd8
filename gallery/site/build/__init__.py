"""The site as a whole: MkDocs renders shells, pages are stamped out of them, and the finished folder is put in place.

In: store, configuration, pages. Out: `site/`, a preview server, one exported file, or a published branch. Torch: never.
"""

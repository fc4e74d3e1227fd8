"""Pages: records become HTML fragments and the files beside them. One module for each page or part of a page.

In: records and what other pages need to know of a passage. Out: fragments and files, not yet in the theme's frame. Torch: never.
"""

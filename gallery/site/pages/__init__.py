"""Pages: records become HTML fragments and the files beside them. One module for each page or part of a page.

In: the input of a passage, or the summaries of all. Out: fragments and files, not yet in the theme's frame. A page is added by a
module with a `DECLARATION` (see page.py), a template, a test and its words in the catalogues. Torch: never.
"""

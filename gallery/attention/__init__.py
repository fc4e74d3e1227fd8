"""Attention: captured from the model, encoded for the page, summed up by head.

In: a classifier and tokenised passages. Out: `Attention`, `Heads` and `Bertviz` records. Torch: needed by all modules but `encoding` and
`picture`, which the render half reads.
"""

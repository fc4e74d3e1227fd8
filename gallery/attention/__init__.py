"""Attention: caught from the model, encoded for the page, summed up by head.

In: a classifier and tokenised passages. Out: `Attention`, `Heads` and `Bertviz` records. Torch: needed by `capture`, `derived`, `heads`
and `excerpt`; `encoding` and `picture` do without, as the render half reads them.
"""

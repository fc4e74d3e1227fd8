"""How far an explanation can be trusted: words erased, weights randomised, methods compared, number formats compared.

In: attributions, and for the trials a classifier. Out: records and plain numbers. Torch: needed by all modules but `metrics`, which both
halves use.
"""

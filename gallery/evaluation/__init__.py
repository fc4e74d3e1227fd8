"""How far an explanation can be believed: words taken out, weights randomised, methods compared, number formats compared.

In: attributions, and for the trials the classifier. Out: records and plain numbers. Torch: `metrics` never, as both halves use it;
the other modules ask the classifier.
"""

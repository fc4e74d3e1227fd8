"""Attribution methods: contributions of words to a class.

In: a classifier, tokenised passages, the classes to explain, parameters. Out: one `Attribution` for each class. The methods lie in
`methods/`, one module each; here lies what they share: paths and their integrals, erased texts, windows. Torch: needed, but not by
the declarations.
"""

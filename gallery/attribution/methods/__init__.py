"""One module for each method: its declaration and its function.

In: a classifier, tokenised passages, the classes to explain, parameters. Out: one `Attribution` for each class. Torch: imported
inside the functions alone, since the render half reads the declarations.
"""

"""The classifier: verified folders become a model that tokenises, predicts, and runs from its embeddings or any layer on.

In: the folders of a model and a tokenizer. Out: `Classifier`, and a passage as `Tokenized`. Torch: needed by all modules but `labels` and `words`.
"""

"""The classifier: a verified folder becomes a model that tokenises, predicts, and can be run from its embeddings.

In: the folders of a model and a tokenizer. Out: `Classifier`, and a `Tokenized` passage. Torch: needed, but by `labels` and `words`.
"""

"""Sources of a model's files: a directory, the Hugging Face hub, a W&B artifact.

In: the name of a source. Out: a verified folder with its digests. Torch: never.
"""

"""Sources of a model's files: a folder, the Hugging Face hub, a W&B artifact, and those that other packages add.

In: the configured name of a source. Out: a verified folder and its digest. Torch: never.
"""

"""Training of the demo classifier: a corpus becomes a model folder with figures of its quality.

In: a pretrained BERT, a corpus. Out: a model folder. Needs the extra `train`. Torch: needed. Nothing else imports this room.
"""

"""The beginning of a gallery: looks into a model and passages, says what it found, and writes a folder to build in.

In: names of a model and a tokenizer, a table or folder of passages.
Out: lines about them, and the files of a gallery.
Torch: not needed; no weights are loaded.
"""

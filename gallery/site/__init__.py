"""The render half: the store becomes a website.

In: the store and the configuration. Out: `build/`, then `site/`. Here lie the parts that all sub-rooms share: language,
templates, views. The sub-rooms, from the lowest: `pictures`, `check`, `pages`, `build`. Torch: never.
"""

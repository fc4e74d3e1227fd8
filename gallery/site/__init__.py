"""The render half: the store becomes a website.

In: the store and the configuration. Out: `build/`, then `site/`. The parts that all sub-rooms share are here: language, templates,
views, the input of a passage. The sub-rooms, from the lowest: `pictures`, `pages`, `check`, `build`. Torch: never.
"""

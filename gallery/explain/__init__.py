"""The explain half: passages and a model become store entries.

In: settings, passages, a model. Out: entries and the manifest, both in the store.
`plan` says which entries are missing, `local` and `on_ray` run the steps that make them, `run` is the whole of it.
Torch: needed to compute; `run`, `plan` and `plan_report` can be imported without it.
"""

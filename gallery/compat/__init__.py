"""Private parts and process-wide switches of our dependencies, one module per dependency, behind names that say what they do.

In: what the caller wants of a dependency. Out: the dependency's answer; tests/compat fails, and says what to do, when a new version
no longer gives it. Torch: `torch` and `transformers` need it; `glibc`, `mkdocs` and `ray` do without.
"""

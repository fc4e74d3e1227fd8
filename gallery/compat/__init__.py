"""Private parts and process-wide switches of our dependencies, a module for each dependency.

In: calls by names of our own. Out: the dependency's answers. When a new version of a dependency answers otherwise, its test in
tests/compat fails and says what to do. Torch: `torch` and `transformers` need it; `glibc`, `mkdocs` and `ray` do without.
"""

"""Programs that break builds, stores and input on purpose, and count what came through; `python -m tests.faults` runs them all."""

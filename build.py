"""Build the gallery: `python build.py`; `python build.py -h` lists the commands."""

import runpy
import sys
from pathlib import Path

if __name__ == "__main__":
    if __spec__ is None:
        from gallery.cli import main

        main()
    else:  # `python -m build`: the packaging tool of that name, which this file would hide
        here = Path(__file__).resolve().parent
        sys.path = [folder for folder in sys.path if Path(folder).resolve() != here]
        runpy.run_module("build", run_name="__main__", alter_sys=True)

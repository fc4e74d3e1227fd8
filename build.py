"""Build the gallery: `python build.py`; `python build.py -h` lists the commands."""

from gallery.cli import main

if __name__ == "__main__":
    main()

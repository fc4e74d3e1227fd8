"""All faults, one program after another; the figures go to gallery/documents/reliability.json, for the gallery's page on reliability.

    python -m tests.faults

Figures of a program that ran by itself can be put in instead: --take kills.json --take fuzz.json.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from gallery.site.pages.reliability import FIGURES, KEYS

PLACE = Path(__file__).parents[2] / "gallery" / "documents" / FIGURES
PROGRAMS = {"kills": ["--kills", "100"], "damage": [], "strings": [], "fuzz": ["--inputs", "1000000"]}


def main() -> None:
    """Run what is asked, and write the figures that are known."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--take", type=Path, action="append", default=[], help="Figures of an earlier run, in place of running anything.")
    asked = arguments.parse_args()
    failed = []
    with tempfile.TemporaryDirectory() as room:
        results = list(asked.take)
        if not results:
            for program, options in PROGRAMS.items():
                results.append(Path(room) / f"{program}.json")
                if subprocess.run([sys.executable, "-m", f"tests.faults.{program}", *options, "--json", results[-1]]).returncode:
                    failed.append(program)
        known = json.loads(PLACE.read_text("utf-8")) if PLACE.exists() else {}
        for result in results:
            known |= json.loads(result.read_text("utf-8"))
    PLACE.write_text(json.dumps({key: known[key] for key in KEYS if key in known}, indent=1) + "\n", "utf-8")
    if failed:
        raise SystemExit(f"Not all came through: {', '.join(failed)}.")


if __name__ == "__main__":
    main()

"""The beginning of a gallery: looks into a model and passages, says what it found, and writes a folder to build in."""

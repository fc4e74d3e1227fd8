"""Attention: caught from the model, encoded, drawn, and as much of it as a site carries."""

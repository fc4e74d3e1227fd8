"""How the demo classifier is trained, judged and written; needs the extra `train`."""

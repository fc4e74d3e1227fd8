"""Pictures of passages: the card of a shared link and the shaded passage as SVG.

In: records of one passage. Out: SVG or PNG. Torch: never.
"""

"""The made-up people of the demo, as seeds.

They were found by `benchmarks/choose_cast.py`: of 1,500 random people, those whose SFace embeddings lie farthest from
each other, without those whose own pictures differ much; farthest first, so that a small meeting takes the farthest. On
frames that the search had not seen (20 each), two pictures of one person have a median cosine of 0.87 (1st percentile
0.70), of two people 0.25 (99th percentile 0.40). The model that judges them also chose them: they show that the program
works, never how well.
"""

from __future__ import annotations

CAST: tuple[int, ...] = (104, 550, 1402, 1462, 981, 668, 967, 311, 985, 1350, 891, 1408)

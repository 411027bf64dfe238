"""The made-up people of the demo, as seeds.

They were found by `benchmarks/choose_cast.py`: of a thousand random people, those whose SFace embeddings lie farthest
from each other, without those whose own pictures differ much. On frames that the search had not seen (20 each), two
pictures of one person have a median cosine of 0.87 (1st percentile 0.68), of two people 0.24 (99th percentile 0.42).
The model that judges them also chose them: they show that the program works, never how well.
"""

from __future__ import annotations

CAST: tuple[int, ...] = (53, 104, 302, 355, 452, 652, 666, 668, 824, 967, 981, 985)

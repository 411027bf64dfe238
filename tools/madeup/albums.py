"""Albums as people have them: circles of friends in pictures that say who is in them, and not where."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

PEOPLE, PICTURES, STRANGERS, PARTS = 40, 300, 1000, 500  # the last two: their first numbers


def album(
    seed: int, faces: Mapping[str, list[int | None]] | None = None
) -> tuple[list[set[int]], list[set[str]], dict[int, str]]:
    """Who is found in each picture, the tags it carries, and the truth of everybody with a name.

    One face in ten isn't found and one is found as somebody else, tags are forgotten and some are wrong, one in five
    people is never tagged, and strangers pass by.

    Args:
        seed: of all that is drawn.
        faces: of real people, whose each face was found to be; None is nobody. Each is used once. Made up if None.
    """
    random = np.random.default_rng(seed)
    called = (
        [f"Name {i}" for i in range(PEOPLE)] if faces is None else [*random.choice([*faces], PEOPLE, replace=False)]
    )
    left = {} if faces is None else {name: [*random.permutation(np.array(faces[name], object))] for name in called}
    circles = [random.choice(PEOPLE, random.integers(2, 6), replace=False) for _ in range(PEOPLE // 2)]
    is_tagged = random.random(PEOPLE) > 0.2
    recall, wrong = random.choice([0.6, 0.8, 0.95]), random.choice([0, 0.02, 0.05])
    shown, tagged, truth = [], [], {}
    for number in range(PICTURES):
        circle = circles[min(random.geometric(0.1) - 1, len(circles) - 1)]
        found, tags = set(), set()
        for who in random.choice(circle, min(len(circle), random.geometric(0.4)), replace=False):
            if faces is None:
                person = int(who) + PARTS * bool(random.random() < 0.1)
            elif left[called[who]]:
                person = left[called[who]].pop()
            else:
                continue
            if random.random() > 0.1 and person is not None:
                found.add(person)
                if is_tagged[who]:
                    truth[person] = called[who]
            if is_tagged[who] and random.random() < recall:
                tags.add(called[who])
        if random.random() < wrong:
            tags.add(called[random.integers(PEOPLE)])
        if random.random() < 0.2 and faces is None:
            found.add(STRANGERS + number)
        if tags:
            shown.append(found)
            tagged.append(tags)
    return shown, tagged, truth

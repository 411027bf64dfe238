"""Places in a picture as it is stored and as it is shown upright: the eight orientations of EXIF.

MWG guidelines 2.0, 5.9: "Region metadata is applied to the stored image." Boxes of faces are of the upright picture.
"""

from __future__ import annotations

NORMAL = 1

# Centre x and y, width and height, each as a share of the picture's, from its left and top.
Area = tuple[float, float, float, float]

_OPPOSITE = {6: 8, 8: 6}  # the others undo themselves


def to_upright(area: Area, orientation: int) -> Area:
    """Where an area of the stored picture is in the upright one.

    Args:
        area: of the stored picture.
        orientation: 1 to 8, as EXIF has it (tag 0x0112); anything else is taken for 1, as viewers do.
    """
    x, y, width, height = area
    if lies(orientation):
        width, height = height, width
    turned = {
        2: (1 - x, y),
        3: (1 - x, 1 - y),
        4: (x, 1 - y),
        5: (y, x),
        6: (1 - y, x),
        7: (1 - y, 1 - x),
        8: (y, 1 - x),
    }
    return *turned.get(orientation, (x, y)), width, height


def to_stored(area: Area, orientation: int) -> Area:
    """Where an area of the upright picture is in the stored one; see `to_upright`."""
    return to_upright(area, _OPPOSITE.get(orientation, orientation))


def lies(orientation: int) -> bool:
    """Whether the stored picture's width is the upright one's height."""
    return 5 <= orientation <= 8

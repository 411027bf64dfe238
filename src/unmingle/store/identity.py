"""Which picture a file shows: it is what it shows, however often its bytes change.

Metadata written into a file leave its pixels, and the frames of a recording, as they were. A picture that was saved
again, turned or cut is analysed again; then the faces that it still shows go on as they were: in their rows, with their
people and with all that was said of them.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

import numpy as np

from unmingle.errors import PictureError
from unmingle.faces.align import FACE_MARGIN, open_thumbnail, thumbnail
from unmingle.faces.boxes import SAME_FACE, overlap_of_pairs, overlaps
from unmingle.faces.duplicates import Prints, fingerprint, lay_over
from unmingle.grouping.clusters import unit_rows
from unmingle.grouping.impostors import SINGLE
from unmingle.records import F64, U8
from unmingle.sources.decoding import pixel_digest
from unmingle.sources.images import readable
from unmingle.sources.pyramid import Pyramid
from unmingle.sources.recordings import Recording, as_shown
from unmingle.store.copies import MAX_IN_ONE_PLACE, MAX_LEFT, fitting
from unmingle.store.facts import adaptation_of, library_curve
from unmingle.store.file_rows import out_of_reach
from unmingle.store.sightings import FRAME, begins, tracks
from unmingle.store.sqlite import Store

Box = Sequence[float]  # left, top, width, height
Moving = Callable[[F64], F64]  # boxes (n, 4) of one picture to those in another
LOOKED_AT = 5  # faces of a recording that must still be there
UNCHANGED = 3.0  # of 255, on average: a face that was cut out of the same pixels, as another version of a codec has it
SLACK = 0.02  # of the duration, by which containers may differ about the same frames
SAME_LOOK = 0.9  # least cosine of a face that is the very same, in a picture that was cut
SAME_TIME = 0.5  # seconds at most from a face to the same in a recording that was encoded again
SAME_THERE = 6.9  # standard deviations by which it is more alike whoever is there then than strangers are


@dataclass(slots=True)
class Recogniser:
    """Finds the picture that a file shows; the faces there tell whether it is still the one it was."""

    store: Store
    _new: dict[bytes, str] = field(default_factory=dict)
    _gone_prints: dict[bytes, str] | None = None

    def by_bytes(self) -> dict[str, str]:
        """The pictures of files whose bytes were changed, by SHA-256 of these."""
        return dict(
            self.store.connection.execute("SELECT bytes, digest FROM file WHERE bytes != '' AND digest IS NOT NULL")
        )

    def picture(self, content: str, shown: bytes, former: str | None, picture: Pyramid) -> str:
        """The digest of the picture that a file shows.

        content: SHA-256 of its bytes. shown: what names its pixels. former: digest of what it showed before.
        """
        former = former or self._gone(picture)
        return self._known(content, shown, former, lambda former: self._is_still(former, picture))

    def recording(self, content: str, shown: bytes, former: str | None, recording: Recording) -> str:
        """The digest of a recording that was opened; arguments as for `picture`."""
        found = self._known(content, shown, former, lambda former: self._is_still_recording(former, recording))
        query = "SELECT duration, recipe FROM recording WHERE content = ?"
        duration, recipe = self.store.connection.execute(query, (found,)).fetchone() or (0.0, "")
        if not recipe:
            return found
        # The same frames at another speed are another recording; containers may differ about how long the last one is,
        # and about sound before the first, which an earlier version did not count.
        info, begun = recording.info, begins(self.store.connection, found, recipe)
        off = min(abs(duration - info.duration), abs(duration - begun - (info.duration - info.begins)))
        return found if off <= max(SLACK * info.duration, 2 / info.rate) else content

    def stored(self, shown: Iterable[bytes]) -> None:
        """These are in the library now."""
        for one in shown:
            self._new.pop(one, None)

    def _known(self, content: str, shown: bytes, former: str | None, is_still: Callable[[str], bool]) -> str:
        row = self.store.connection.execute("SELECT digest FROM shown WHERE sha = ?", (shown,)).fetchone()
        if row is not None:
            return str(row[0])
        if shown not in self._new:
            # An earlier version noted no pixels: there the fingerprint and the faces must prove it.
            self._new[shown] = former if former is not None and is_still(former) else content
        return self._new[shown]

    def _gone(self, picture: Pyramid) -> str | None:
        """A picture with the same fingerprint whose files are gone, or out of reach."""
        if self._gone_prints is None:
            rows = self.store.connection.execute(
                "SELECT fingerprint, analysis.digest FROM file_row JOIN analysis USING (digest)"
                " WHERE fingerprint != x'' AND (present = 0"
                " OR folder IN (SELECT CAST(value AS BLOB) FROM json_each(?)))",
                (json.dumps([readable(source) for source in out_of_reach(self.store.connection)]),),
            )
            self._gone_prints = dict(rows.fetchall())
        prints = _prints(picture) if self._gone_prints else ()
        return next((self._gone_prints[one] for one in prints if one in self._gone_prints), None)

    def _is_still(self, digest: str, picture: Pyramid) -> bool:
        if picture.name:  # an earlier version named the pixels
            query = "SELECT 1 FROM shown WHERE sha = ? AND digest = ?"
            if self.store.connection.execute(query, (pixel_digest(picture.full()), digest)).fetchone():
                return True
        row = self.store.connection.execute(
            "SELECT id, width, height, fingerprint, recipe FROM analysis WHERE digest = ?"
            " ORDER BY recipe = ? DESC, fingerprint = x'' LIMIT 1",
            (digest, self.store.recipe),
        ).fetchone()
        if row is None or row[1:3] != (picture.width, picture.height) or (row[3] and row[3] not in _prints(picture)):
            return False
        return self._all_shown("picture = ?", (row[0],), row[4], lambda _: picture)

    def _is_still_recording(self, digest: str, recording: Recording) -> bool:
        info = recording.info
        row = self.store.connection.execute(
            "SELECT recipe FROM recording WHERE content = ? AND width = ? AND height = ? AND frames = ?"
            " ORDER BY recipe = ? DESC LIMIT 1",
            (digest, info.width, info.height, info.frames, self.store.recipe),
        ).fetchone()
        where = "content = ? AND recipe = ? AND frame IS NOT NULL"
        try:
            return row is not None and self._all_shown(
                where,
                (digest, row[0]),
                row[0],
                lambda frame: as_shown(recording.frame(frame).pixels, info.aspect),
                most=LOOKED_AT,
                aspect=info.aspect,
            )
        except PictureError:
            return False

    def _all_shown(
        self,
        where: str,
        values: tuple[object, ...],
        recipe: str,
        pixels: Callable[[int], U8 | Pyramid],
        most: int | None = None,
        aspect: float = 1.0,
    ) -> bool:
        """Whether there are faces, and each of them, or of so many, is in its frame's pixels still."""
        query = (
            'SELECT frame, "left", top, width, height, CAST(jpeg AS BLOB) FROM face_row JOIN thumbnail USING (face)'
            f" WHERE {where} ORDER BY frame, number"
        )
        faces = self.store.connection.execute(query, values).fetchall()
        looked_at = faces[:: max(1, len(faces) // (most or len(faces) or 1))]
        found = None
        for frame, left, top, width, height, jpeg in looked_at:
            shown = _shows(pixels(frame), (left * aspect, top, width * aspect, height), jpeg, recipe)
            if shown is False:
                return False
            found = shown or found
        return bool(found)


def _prints(picture: Pyramid) -> Iterator[bytes]:
    """The fingerprint of a picture, and as earlier versions made it: of what was decoded at first, and in full."""
    yield fingerprint(picture)
    if picture.large:
        yield fingerprint(picture.base)
        yield fingerprint(picture.full())


def _shows(picture: U8 | Pyramid, box: Box, jpeg: bytes, recipe: str) -> bool | None:
    """Whether a face that was cut out of a picture is in it still; None if its thumbnail is damaged."""
    if not jpeg:
        return False
    try:
        before = open_thumbnail(jpeg)
    except PictureError:
        return None
    margin = 0.0 if recipe.startswith("classic") else FACE_MARGIN
    now = open_thumbnail(thumbnail(picture, np.array(box, np.float32), margin=margin))
    return bool(np.abs(now.astype(np.int16) - before).mean() <= UNCHANGED)


def take_places(store: Store) -> None:
    """Let new files take the places of gone ones that showed the same, as where all were saved in another format.

    New is whose faces were never grouped, also if they were found by a run that was stopped. Whether faces go on there
    is for `carry_over` to say.
    """
    query = (  # from files on, of which few are gone
        "SELECT min(file.id), file.digest, analysis.id, name FROM file CROSS JOIN analysis"
        " ON analysis.digest = file.digest AND recipe = ? AND fingerprint != x''"
        " WHERE present = {} AND NOT EXISTS ({}) GROUP BY analysis.id"
    )
    there = "SELECT 1 FROM file AS other WHERE other.digest = file.digest AND other.present = 1"
    grouped = (  # which earlier versions did not note
        "SELECT 1 FROM face WHERE face.analysis = analysis.id"
        " AND (face.id IN (SELECT face FROM grouped) OR face.id IN (SELECT face FROM member))"
    )
    gone = store.connection.execute(query.format(0, there), (store.recipe,)).fetchall()
    came = store.connection.execute(query.format(1, grouped), (store.recipe,)).fetchall() if gone else []
    both = [*gone, *came]
    pictures = np.array([analysis for _, _, analysis, _ in both], np.int64)
    stems = [PurePath(name).with_suffix("") for *_, name in both]
    fits = fitting(store, pictures, np.repeat([0, 1], [len(gone), len(came)])) if came else ()
    ranked = sorted((stems[one] != stems[two], left, min(one, two), max(one, two)) for one, two, _, _, left in fits)
    taken: set[int] = set()
    with store.transaction() as connection:
        for _, _, old, now in ranked:
            if taken.isdisjoint((old, now)):
                taken |= {old, now}
                connection.execute("UPDATE file SET former = ? WHERE id = ?", (both[old][1], both[now][0]))
                connection.execute("DELETE FROM file WHERE digest = ?", (both[old][1],))


def carry_over(store: Store) -> tuple[int, int]:
    """Let faces go on as they were in pictures that were saved again, turned or cut.

    How many pictures show what they showed, and how many faces that somebody said something of are in none any more.
    As long as another file shows the picture as it was, everything stays with that.
    """
    pictures = lost = 0
    changed = (
        "SELECT file.id, former, file.digest FROM file JOIN analysis ON analysis.digest = file.digest"
        " AND analysis.recipe = ? WHERE former IS NOT NULL AND present = 1"
        " AND NOT EXISTS (SELECT 1 FROM file AS other WHERE other.digest = file.former AND other.present = 1)"
    )
    for row, former, digest in store.connection.execute(changed, (store.recipe,)).fetchall():
        with store.transaction() as connection:
            there = [_Picture.read(store, one) for one in (former, digest)]
            if there[0] is not None and there[1] is not None:
                pictures += _carry(connection, there[0], there[1]) or _carry_frames(store, former, digest)
            lost += connection.execute(
                "SELECT count(*) FROM place WHERE digest = ? OR instr(digest, ?) = 1", (former, former + FRAME)
            ).fetchone()[0]
            connection.execute("UPDATE file SET former = NULL WHERE id = ?", (row,))
    return pictures, lost


@dataclass(frozen=True, slots=True, eq=False)
class _Picture:
    """A picture as a recipe saw it: its analysis, and the n faces in it."""

    digest: str
    analysis: int
    size: tuple[int, int]
    print: bytes
    ids: list[int]
    boxes_n4: F64  # left, top, width, height in pixels
    vectors_nd: F64  # of unit length

    @classmethod
    def read(cls, store: Store, digest: str) -> _Picture | None:
        query = "SELECT id, width, height, fingerprint FROM analysis WHERE digest = ? AND recipe = ?"
        row = store.connection.execute(query, (digest, store.recipe)).fetchone()
        if row is None:
            return None
        query = 'SELECT id, "left", top, width, height, vector FROM face WHERE analysis = ? ORDER BY number'
        faces = store.connection.execute(query, (row[0],)).fetchall()
        vectors = np.array([np.frombuffer(face[5], "<f4") for face in faces], np.float64)
        vectors = vectors.reshape(len(faces), -1 if faces else 0)
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
        boxes = np.array([face[1:5] for face in faces], np.float64).reshape(-1, 4)
        return cls(digest, row[0], row[1:3], row[3], [face[0] for face in faces], boxes, vectors)


def _carry(connection: sqlite3.Connection, old: _Picture, new: _Picture) -> bool:
    """Carry over what can be; whether the new picture shows the old one, or at least a face of it."""
    moving = _moving(old, new)
    pairs = _pairs(old, new, moving)
    for mine, theirs in pairs.items():
        _become(connection, old.ids[mine], new.ids[theirs])
    query = 'SELECT id, "left", top, width, height FROM place WHERE digest = ?'
    for place, *box in connection.execute(query, (old.digest,)).fetchall():
        found = _new_box(np.array([box]), old, new, pairs, moving)
        if found is not None:
            connection.execute(
                'UPDATE OR IGNORE place SET digest = ?, "left" = ?, top = ?, width = ?, height = ? WHERE id = ?',
                (new.digest, *found.tolist(), place),
            )
    if pairs:  # the old picture, should it come back, has to be analysed anew
        connection.execute("DELETE FROM analysis WHERE id = ?", (old.analysis,))
    return bool(pairs) or moving is not None


def _carry_frames(store: Store, former: str, digest: str) -> bool:
    """Let what was said of faces in a recording go on in what took its place; whether that shows any of them then."""
    query = (
        "SELECT {}, vector FROM analysis JOIN face ON face.analysis = analysis.id"
        " {} WHERE content = ? AND recipe = ? AND frame IS NOT NULL"
    )
    box = 'face."left", face.top, face.width, face.height'
    place = 'JOIN place ON place.digest = analysis.digest AND place."left" = face."left" AND place.top = face.top'
    what = f"place.id, time, analysis.width, analysis.height, {box}"
    told = store.connection.execute(query.format(what, place), (former, store.recipe)).fetchall()
    if not told:
        return False
    what = f"face.id, analysis.digest, {box}"
    found = store.connection.execute(query.format(what, ""), (digest, store.recipe)).fetchall()
    places = {face: where for face, *where, _ in found}
    # Some models find all faces much alike, and a library knows better than their cosine who is.
    adapted, curve = adaptation_of(store), library_curve(store)
    least = curve.mean + SAME_THERE * float(curve.deviation(SINGLE, SINGLE)[0])
    both_nd = np.array([np.frombuffer(row[-1], "<f4") for row in (*told, *found)])
    unit_nd = unit_rows(both_nd) if adapted is None else adapted.apply(both_nd)
    looks = dict(zip([row[0] for row in told], unit_nd, strict=False))
    vectors = dict(zip(places, unit_nd[len(told) :], strict=True))
    # For each place: how alike, the faces of that track, most alike first, and where it is then.
    best: dict[int, tuple[float, list[int], list[object]]] = {}
    size = store.connection.execute("SELECT width, height FROM analysis WHERE digest = ?", (digest,)).fetchone()
    # Sound before the first frame may have come or gone, or not have counted.
    former_begins, now_begins = (begins(store.connection, one, store.recipe) for one in (former, digest))
    time_m = np.array([row[1] for row in told]) - former_begins + now_begins
    for track in tracks(store, digest):
        seen, faces_k = track.sightings, track.keyframes_k.tolist()
        for row in np.flatnonzero((time_m > seen.times[0] - SAME_TIME) & (time_m < seen.times[-1] + SAME_TIME)):
            region, _, width, height, *box_4, _ = told[row]
            at = int(np.argmin(np.abs(seen.times - time_m[row])))
            if abs(seen.times[at] - time_m[row]) > SAME_TIME:
                continue
            scaled_4 = np.array(box_4) * np.tile(np.divide(size, (width, height)), 2)
            there = overlap_of_pairs(scaled_4, seen.boxes[at].astype(np.float64)) >= SAME_FACE
            alike = {face: float(vectors[face] @ looks[region]) for face in faces_k}
            if there and max(alike.values()) > best.get(region, (least,))[0]:
                where = [f"{digest}{FRAME}{seen.frames[at]}", *seen.boxes[at].tolist()]
                best[region] = max(alike.values()), sorted(alike, key=lambda face: -alike[face]), where
    for region, (_, faces_k, where) in best.items():
        # A face's own place, where it has not become another's: there it is found again the next time.
        own = next((places.pop(face) for face in faces_k if face in places), where)
        store.connection.execute(
            'UPDATE OR IGNORE place SET digest = ?, "left" = ?, top = ?, width = ?, height = ? WHERE id = ?',
            (*own, region),
        )
    return bool(best)


def _new_box(box_14: F64, old: _Picture, new: _Picture, pairs: dict[int, int], moving: Moving | None) -> F64 | None:
    """(4,) where the face of a place is now; None if nobody can tell."""
    shared = overlaps(box_14, old.boxes_n4)[0]
    best = int(np.argmax(shared)) if len(shared) else -1
    if best in pairs and shared[best] >= SAME_FACE:
        return np.asarray(new.boxes_n4[pairs[best]])
    return None if moving is None else moving(box_14)[0]


def _become(connection: sqlite3.Connection, face: int, new: int) -> None:
    """Let a face go on in the picture in which it was found again."""
    columns = 'analysis, number, "left", top, width, height, points, score, quality, standing, flag, reason, vector'
    values = connection.execute(f"SELECT {columns} FROM face WHERE id = ?", (new,)).fetchone()
    (jpeg,) = connection.execute("SELECT jpeg FROM thumbnail WHERE face = ?", (new,)).fetchone()
    connection.execute("DELETE FROM face WHERE id = ?", (new,))
    connection.execute(f"UPDATE face SET ({columns}) = ({', '.join('?' * 13)}) WHERE id = ?", (*values, face))
    connection.execute("UPDATE thumbnail SET jpeg = ? WHERE face = ?", (jpeg, face))


def _pairs(old: _Picture, new: _Picture, moving: Moving | None) -> dict[int, int]:
    """The new face of each old one that is found again: in its place, or where the very same face is."""
    likeness = np.zeros((len(old.ids), len(new.ids)))
    if old.vectors_nd.shape[1] == new.vectors_nd.shape[1]:
        cosine = old.vectors_nd @ new.vectors_nd.T
        likeness += np.where(cosine >= SAME_LOOK, cosine, 0.0)
    if moving is not None:
        shared = overlaps(moving(old.boxes_n4), new.boxes_n4)
        likeness += np.where(shared >= SAME_FACE, shared, 0.0)
    pairs: dict[int, int] = {}
    for flat in np.argsort(-likeness, axis=None, kind="stable").tolist():
        mine, theirs = divmod(flat, len(new.ids))
        if likeness[mine, theirs] > 0 and mine not in pairs and theirs not in pairs.values():
            pairs[mine] = theirs
    return pairs


def _moving(old: _Picture, new: _Picture) -> Moving | None:
    """Where boxes of the old picture are in the new one, if that shows it, be it turned or mirrored; else None."""
    prints = [Prints.read([one]).cells[:1] for one in (old.print, new.print)]
    if not all(map(len, prints)):
        return None
    turned = np.stack([np.rot90(cells, turn) for cells in (prints[0][0], prints[0][0][:, ::-1]) for turn in range(4)])
    fits = lay_over(turned, np.repeat(prints[1], 8, axis=0))
    turn = int(np.argmin(fits.left))
    if fits.left[turn] > MAX_LEFT or fits.most[turn] > MAX_IN_ONE_PLACE:
        return None
    a, b, c, d = map(float, fits.maps[turn])

    def moving(boxes_n4: F64) -> F64:
        corners = np.concatenate([boxes_n4[:, :2], boxes_n4[:, :2] + boxes_n4[:, 2:]], axis=1)
        x, y = (corners[:, axis::2] / old.size[axis] * 2 - 1 for axis in (0, 1))  # from -1 to 1
        x = -x if turn >= 4 else x
        for _ in range(turn % 4):
            x, y = y, -x
        x, y = np.sort((x - b) / (1 + a), axis=1), np.sort((y - d) / (1 + c), axis=1)
        corners = np.stack([(x + 1) / 2 * new.size[0], (y + 1) / 2 * new.size[1]], axis=2)
        return np.concatenate([corners[:, 0], corners[:, 1] - corners[:, 0]], axis=1)

    return moving

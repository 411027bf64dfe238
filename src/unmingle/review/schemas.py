"""What goes over the wire, checked on its way in and described in `/api/openapi.json`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal, Self

from fastapi import Path, Query
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from unmingle.decisions import log
from unmingle.decisions.kinds import KINDS, Command
from unmingle.store.face_query import FaceDetail, LeftOut, LeftOutGroup
from unmingle.store.people_query import FaceCard, PersonSummary
from unmingle.store.screen_time import Timeline

LARGEST = 2**63 - 1  # SQLite's integers end here


def _whole(value: object) -> object:
    """To JSON 5.0 is an integer too."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _count(value: Any) -> Any:
    return value if isinstance(value, int) else len(value)


Id = Annotated[int, BeforeValidator(_whole), Field(ge=1, le=LARGEST)]
IdInPath = Annotated[int, Path(ge=1, le=LARGEST)]
IdInQuery = Annotated[int, Query(ge=1, le=LARGEST)]
Offset = Annotated[int, Query(ge=0, le=LARGEST)]
Limit = Annotated[int, Query(ge=1, le=1000)]
Faces = Annotated[list[Annotated[int, Field(ge=1, le=LARGEST)]], Query(max_length=100)]
Search = Annotated[str, Query(max_length=200)]
FaceIds = Annotated[list[Id], Field(min_length=1, max_length=100_000)]
QuestionId = Annotated[str, Path(max_length=200)]
Sort = Literal["faces", "name", "new", "cohesion", "uncertain"]
Log = Literal["all", "names", "merges", "faces", "ignored", "undone"]
Show = Literal["all", "named", "unnamed", "new", "uncertain", "ignored"]


class Problem(BaseModel):
    """What went wrong, and what to do about it."""

    problem: str
    mend: str
    locked: bool = False


@dataclass(frozen=True, slots=True)
class Changed:
    """What a decision changed: whom it touched, and how many faces it moved."""

    people: tuple[int, ...]
    faces: int


@dataclass(frozen=True, slots=True)
class Decision(log.Decision):
    """One entry of the log. person: whom it is about, if anybody; faces: how many it moved; live: it was not undone.

    group: the first of the decisions that it was made with, 0 if it was by itself.
    """

    changed: Changed

    @classmethod
    def told(cls, decision: log.Decision, **more: Any) -> Self:
        """As it goes out; more: what is otherwise."""
        said = asdict(decision) | more
        return cls(**said, changed=Changed(said["people"], said["faces"]))


class Stale(Problem):
    """The people or faces were changed by others since they were looked at."""

    since: list[Decision]


class Merged(Problem):
    """There is no such person; it may have become a part of another."""

    merged_into: int | None = None


class _Page(BaseModel):
    """A part of a list. revision: of the library; total: how many there are."""

    revision: int
    total: int


class LibrarySummary(BaseModel):
    """The library in numbers. left_out: faces and files without a person; ignored: people not to be shown.

    recordings: those that are there, of which /api/timeline tells; questions: that wait for an answer.
    to_undo, to_redo: words of the decisions that would be undone or redone next.
    """

    folder: str
    encrypted: bool
    faces: int
    people: int
    named: int
    left_out: int
    ignored: int
    recordings: int
    questions_ready: bool
    questions: int
    to_undo: str | None
    to_redo: str | None
    revision: int
    clusterings: int
    version: str


@dataclass(frozen=True, slots=True)
class ShownPerson(PersonSummary):
    """A person on the wall, with up to four faces to show."""

    covers: list[int]


class PeoplePage(_Page):
    """A part of the people that were asked for; total: how many there are."""

    people: list[ShownPerson]


@dataclass(frozen=True, slots=True)
class WholePerson(ShownPerson):
    """A person. merged_into: always null, since a merged person is no longer there.

    below: how many faces have a probability below 0, 1, … 100 %, and nobody decided about them.
    """

    revision: int
    below: list[int]
    first_file: str
    merged_into: int | None = None


class FacesPage(_Page):
    """A part of a person's faces; total: how many there are."""

    faces: list[FaceCard]


@dataclass(frozen=True, slots=True)
class WholeFace(FaceDetail):
    """A face and its picture. place: among its person's faces, in the order of their files; 0 for nobody's."""

    revision: int
    place: int


class PicturePath(BaseModel):
    """Where a picture or recording lies; empty if no file holds it."""

    path: str


class Beside(BaseModel):
    """Who comes before and after a person; null for nobody."""

    before: int | None
    after: int | None


class LeftOutGroups(BaseModel):
    """What was left out, by reason."""

    revision: int
    groups: list[LeftOutGroup]


class LeftOutPage(_Page):
    """A part of what was left out for one reason; total: how many there are."""

    faces: list[LeftOut]


class TimelinePage(_Page):
    """A part of the recordings, and who is on screen when; total: how many there are."""

    recordings: list[Timeline]


class Retried(BaseModel):
    """What became of a file that was read again."""

    status: str
    reason: str


@dataclass(frozen=True, slots=True)
class NamedPerson:
    """A person with a name, and one face."""

    person: int
    name: str
    faces: int
    covers: list[int]


class Names(BaseModel):
    """Names that are there already."""

    names: list[NamedPerson]


class Side(BaseModel, from_attributes=True):
    """One side of a question. faces: how many it has; show: some of them."""

    person: int | None
    name: str
    faces: Annotated[int, BeforeValidator(_count)]
    show: list[int]


class Question(BaseModel, from_attributes=True):
    """Are these one person? settles: how many faces have their place after the answer."""

    id: str
    kind: Literal["people", "part", "face", "single"]
    text: str
    one: Side
    other: Side
    probability: float
    settles: int


class Questions(BaseModel):
    """The questions most worth an answer. ready: false while they are worked out; left: how many there are."""

    revision: int
    ready: bool
    left: int
    questions: list[Question]


@dataclass(frozen=True, slots=True)
class LoggedDecision(Decision):
    """An entry of the log with faces that it is about."""

    show: list[int]


class DecisionsPage(_Page):
    """A part of the log, newest first. can_undo, can_redo: the decision that would be undone or redone next."""

    can_undo: int | None
    can_redo: int | None
    decisions: list[LoggedDecision]


class Decided(BaseModel):
    """Decisions were taken; revision: of the library afterwards; entries: of the log, of which `decision` is the last.

    What `decision` tells of people and faces is of all of them.
    """

    revision: int
    decision: Decision
    entries: int = 1

    @classmethod
    def of(cls, *entries: log.Decision) -> Decided:
        """Its number is the revision that it made."""
        more: dict[str, Any] = {}
        if len(entries) > 1:  # which only undoing and redoing do
            more["words"] = f"{'Undid' if entries[-1].kind == 'undo' else 'Redid'} {len(entries)} decisions"
            more["faces"] = sum(one.faces for one in entries)
            more["people"] = tuple(sorted({who for one in entries for who in one.people}))
        told = Decision.told(entries[-1], **more)
        return cls(revision=told.id, decision=told, entries=len(entries))


class Erased(Decided):
    """A person was erased. pages: reports and others that were deleted; exports: that left before, of any people."""

    pages: int
    exports: int


class _Request(BaseModel):
    """seen: the revision that was looked at; a decision about what was changed since is refused."""

    model_config = ConfigDict(extra="forbid", strict=True)
    seen: Annotated[int, BeforeValidator(_whole), Field(ge=0, le=LARGEST)] | None = None


class _DecisionRequest(_Request):
    """group: the first of the decisions that this one is made with, all undone at once."""

    group: Annotated[int, BeforeValidator(_whole), Field(ge=0, le=LARGEST)] = 0


class NameRequest(_DecisionRequest):
    """Give a person a name, or take it away with an empty one."""

    kind: Literal["name"]
    person: Id
    name: Annotated[str, Field(max_length=200)]


class MergeRequest(_DecisionRequest):
    """Others become a part of a person."""

    kind: Literal["merge"]
    person: Id
    others: Annotated[list[Id], Field(min_length=1, max_length=10_000)]


class FacesRequest(_DecisionRequest):
    """split: these become a new person. not_a_face: they are no faces. face: they are, whatever the models say."""

    kind: Literal["split", "not_a_face", "face"]
    faces: FaceIds


class FacesOfPersonRequest(_DecisionRequest):
    """reject: these faces are not this person's. assign: they are."""

    kind: Literal["reject", "assign"]
    faces: FaceIds
    person: Id


class IgnoreRequest(_DecisionRequest):
    """ignore: a stranger, or faces of strangers. restore: no longer so. Give either a person or faces."""

    kind: Literal["ignore", "restore"]
    person: Id | None = None
    faces: Annotated[list[Id], Field(max_length=100_000)] = []


class PairRequest(_DecisionRequest):
    """different: two people are not one. unsure: nobody can say, don't ask again."""

    kind: Literal["different", "unsure"]
    person: Id
    other: Id


DecisionRequest = Annotated[
    NameRequest | MergeRequest | FacesRequest | FacesOfPersonRequest | IgnoreRequest | PairRequest,
    Field(discriminator="kind"),
]


def command_of(asked: DecisionRequest) -> Command:
    """What a request asks for."""
    said: dict[str, Any] = {part: tuple(value) if isinstance(value, list) else value for part, value in asked}
    del said["seen"]
    if "other" in said:
        said["others"] = (said.pop("other"),)
    return KINDS[said.pop("kind")](**said)


class UndoRequest(_Request):
    """decision: which one; the last that can be if it is not given. together: with all that were made with it."""

    decision: Id | None = None
    together: bool = False


class EraseRequest(_Request):
    """Erase a person for good."""

    person: Id


class UnlockRequest(BaseModel):
    """The key of an encrypted library."""

    model_config = ConfigDict(extra="forbid")
    key: Annotated[str, Field(min_length=1, max_length=1000)]


class Locked(BaseModel):
    """Whether nothing can be seen without the key."""

    locked: bool


class AnswerRequest(_DecisionRequest):
    """The answer to a question."""

    answer: Literal["same", "different", "unsure"]

-- A face as a place in a picture: decisions name faces so, since the rows of faces come and go with models and recipes.
CREATE TABLE place (
    id INTEGER PRIMARY KEY,
    digest TEXT NOT NULL,
    "left" REAL NOT NULL, top REAL NOT NULL, width REAL NOT NULL, height REAL NOT NULL,
    UNIQUE (digest, "left", top, width, height)
);
-- What people said, and when the program grouped faces: never rewritten, see the triggers.
CREATE TABLE decision (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    made TEXT NOT NULL,              -- UTC, ISO 8601
    by TEXT NOT NULL,                -- person, rule or import
    kind TEXT NOT NULL,
    body TEXT NOT NULL,              -- JSON: what was said, about people by id and about faces by place
    changed TEXT NOT NULL            -- JSON: what it changed, in words and numbers
);
CREATE TRIGGER decision_is_not_rewritten BEFORE UPDATE ON decision
BEGIN SELECT RAISE(ABORT, 'a decision is never rewritten'); END;
CREATE TRIGGER decision_is_not_forgotten BEFORE DELETE ON decision
BEGIN SELECT RAISE(ABORT, 'a decision is never forgotten'); END;
-- Which faces an entry of the log moved. The faces may be gone since.
CREATE TABLE moved (
    decision INTEGER NOT NULL REFERENCES decision (id),
    face INTEGER NOT NULL,
    before INTEGER,                  -- person; NULL for none
    after INTEGER,
    PRIMARY KEY (decision, face)
) WITHOUT ROWID;
-- Each time that faces were grouped; the id is that of its entry in the log.
CREATE TABLE clustering (
    id INTEGER PRIMARY KEY REFERENCES decision (id),
    made TEXT NOT NULL,
    decisions INTEGER NOT NULL,      -- the last entry of the log that the grouping heeded
    recipe TEXT NOT NULL
);
-- The people of the last clustering, before any later decision. `member` is what these and the log make of them.
CREATE TABLE proposal (
    face INTEGER PRIMARY KEY REFERENCES face (id) ON DELETE CASCADE,
    person INTEGER NOT NULL REFERENCES person (id),
    probability REAL,
    likeness REAL                    -- cosine to the mean of the person's faces
);
ALTER TABLE member ADD COLUMN likeness REAL;
ALTER TABLE member ADD COLUMN decided INTEGER NOT NULL DEFAULT 0;  -- 1: a person said that the face belongs there
ALTER TABLE member ADD COLUMN since INTEGER NOT NULL DEFAULT 0;    -- clustering in which the face first had a person
ALTER TABLE person ADD COLUMN ignored INTEGER NOT NULL DEFAULT 0;  -- 1: a stranger, not to be shown
ALTER TABLE person ADD COLUMN since INTEGER NOT NULL DEFAULT 0;    -- clustering that found the person
DROP INDEX member_by_person;
-- Covers what a wall of people counts, and the list of a person's faces.
CREATE INDEX member_by_person ON member (person, probability, decided, since);
CREATE INDEX member_by_likeness ON member (person, decided, likeness);
CREATE INDEX member_decided ON member (face) WHERE decided = 1;
CREATE INDEX person_named ON person (name) WHERE name != '';
CREATE INDEX person_ignored ON person (id) WHERE ignored = 1;
INSERT INTO proposal (face, person, probability) SELECT face, person, probability FROM member;
-- What was said of single faces: not_a_face, ignored, or face (it is one, whatever the models say).
CREATE TABLE mark (
    face INTEGER PRIMARY KEY REFERENCES face (id) ON DELETE CASCADE,
    mark TEXT NOT NULL
);

-- Joins that were written again and again.
-- Files with the folder that they are below.
CREATE VIEW file_row AS
SELECT file.id AS file, file.source, source.path AS folder, file.path, file.name, file.size, file.modified,
       file.digest, file.bytes, file.problem, file.present, file.former
FROM file
JOIN source ON source.id = file.source;

-- The faces of every recipe: where each is, whose, and what the program or a person said of it.
CREATE VIEW face_row AS
SELECT face.id AS face, face.number, face."left", face.top, face.width, face.height, face.points, face.score,
       face.quality, face.standing, face.vector, face.track, face.sighting,
       analysis.id AS picture, analysis.recipe, analysis.digest, analysis.content, analysis.frame, analysis.time,
       analysis.width AS picture_width, analysis.height AS picture_height, analysis.reason AS picture_reason,
       member.person, person.name, coalesce(person.ignored, 0) AS ignored, member.probability,
       coalesce(member.decided, 0) AS decided, member.since, mark.mark,
       -- What the program says of it, unless a person said that it is a face.
       iif(mark.mark = 'face', '', face.flag) AS flag, iif(mark.mark = 'face', '', face.reason) AS own_reason
FROM face
JOIN analysis ON analysis.id = face.analysis
LEFT JOIN member ON member.face = face.id
LEFT JOIN person ON person.id = member.person
LEFT JOIN mark ON mark.face = face.id;

-- Each face in each file that is there and shows it.
CREATE VIEW shown_face AS
SELECT face_row.*, file_row.file, file_row.source, file_row.folder, file_row.path, file_row.name AS file_name,
       file_row.size, file_row.modified
FROM face_row
JOIN file_row ON file_row.digest = face_row.content AND file_row.present = 1;

-- The file whose picture a face's picture is a copy of: empty for the one of which others are.
CREATE VIEW copied_face AS
SELECT copy.face, CASE WHEN copy."of" = copy.face THEN '' ELSE min(file.name) END AS original
FROM copy
JOIN face ON face.id = copy."of"
JOIN analysis ON analysis.id = face.analysis
JOIN file ON file.digest = analysis.content AND file.present = 1
GROUP BY copy.face;

-- The faces with status and reason as in faces.csv.
CREATE VIEW face_status AS
SELECT *,
       CASE
           WHEN mark IN ('not_a_face', 'ignored') THEN mark
           WHEN ignored THEN 'ignored'
           WHEN person IS NOT NULL THEN iif(flag = 'masked', 'masked', 'clustered')
           WHEN flag != '' THEN flag
           ELSE 'alone'
       END AS status,
       CASE
           WHEN mark IN ('not_a_face', 'ignored') THEN 'a person said so'
           WHEN ignored THEN 'a stranger: a person said so'
           WHEN person IS NOT NULL THEN coalesce(
               nullif(own_reason, ''),
               (SELECT 'a copy of another picture: ' || nullif(original, '') FROM copied_face AS copied
                WHERE copied.face = face_row.face),
               picture_reason
           )
           WHEN flag != '' THEN own_reason
           ELSE coalesce(
               (SELECT 'only copies of one picture: ' || coalesce(nullif(original, ''), 'the best of them')
                FROM copied_face AS copied WHERE copied.face = face_row.face),
               nullif(own_reason, ''), 'no other face is like it'
           )
       END AS reason
FROM face_row;

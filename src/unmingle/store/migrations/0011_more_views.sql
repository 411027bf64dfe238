-- Recordings with each file that is there and holds them.
CREATE VIEW shown_recording AS
SELECT recording.*, file_row.file, file_row.source, file_row.folder, file_row.path, file_row.name
FROM recording
JOIN file_row ON file_row.digest = recording.content AND file_row.present = 1;

-- Files in which the library's recipe found no face, and those that can't be read. begun: of a recording a part was
-- seen, faces in it.
CREATE VIEW faceless_file AS
SELECT fact.value AS recipe, file_row.file, folder, name, path, source,
       iif(problem != '' OR analysis.id IS NULL, 'unreadable', 'not_a_face') AS status,
       CASE
           WHEN problem != '' THEN problem
           WHEN analysis.id IS NULL THEN 'not read yet: run unmingle cluster again'
           ELSE coalesce(nullif(analysis.reason, ''), 'no face found')
       END AS reason,
       recording.id IS NOT NULL AND analysis.id IS NULL AND problem = '' AS begun
FROM fact
CROSS JOIN file_row
LEFT JOIN analysis ON analysis.digest = file_row.digest AND analysis.recipe = fact.value
LEFT JOIN recording ON recording.content = file_row.digest AND recording.recipe = fact.value
    AND EXISTS (SELECT 1 FROM track WHERE track.recording = recording.id)
WHERE fact."key" = 'recipe'
  AND present = 1
  AND NOT EXISTS (SELECT 1 FROM face WHERE face.analysis = analysis.id)
  AND (problem != '' OR analysis.id IS NULL OR recording.id IS NULL);

-- The rows of faces.csv that are of files: a face in a picture file, or a file without any.
CREATE VIEW result_row AS
SELECT recipe, folder, file_row.name AS file_name, path, source, number, "left", top, width, height, score, quality,
       iif(ignored, NULL, person) AS person, iif(ignored, NULL, face_status.name) AS name,
       iif(problem = '', status, 'unreadable') AS status, iif(problem = '', reason, problem) AS reason, face
FROM file_row
JOIN face_status ON face_status.digest = file_row.digest
WHERE present = 1
UNION ALL
SELECT recipe, folder, name, path, source, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, status, reason, NULL
FROM faceless_file
WHERE NOT begun;

-- The faces that nothing speaks against grouping, and how many files show each. What a person said of a face outweighs
-- what the recipe says of it.
CREATE VIEW face_to_group AS
SELECT face, picture, recipe, content, frame, number, files, coalesce(mark, standing) != 'join' AS core, vector
FROM face_row
JOIN (
    SELECT digest, count(*) AS files FROM file WHERE present = 1 AND digest IS NOT NULL GROUP BY digest
) AS held ON held.digest = face_row.content
WHERE coalesce(mark, iif(standing = 'aside', '', 'face')) = 'face';

-- The faces that no file shows.
CREATE VIEW absent_face AS
SELECT face, recipe
FROM face_row
WHERE NOT EXISTS (SELECT 1 FROM file WHERE file.digest = face_row.content AND file.present = 1);

-- Faces as exports give them away: of ignored people nobody knows. counts: it is a face that anybody wants to see,
-- neither said nor found to be none, and not ignored.
CREATE VIEW exported_face AS
SELECT face, picture, number, "left", top, width, height, iif(ignored, NULL, person) AS person,
       iif(ignored, '', coalesce(name, '')) AS name,
       coalesce(mark, '') = 'face'
           OR NOT (mark IS NOT NULL OR ignored OR (flag = 'not_a_face' AND person IS NULL)) AS counts
FROM face_row;

-- min-compatible: 1

-- Pieces of files are written once and read a few times: compressing them costs more than their room.
-- They are stored beside the table as they are; those that are there stay as they were.
ALTER TABLE export_chunks ALTER COLUMN data SET STORAGE EXTERNAL;

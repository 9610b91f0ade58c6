-- The parts of the staged records are other ones from here on. Here there are none.
DELETE FROM record_staged;

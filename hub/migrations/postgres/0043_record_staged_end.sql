-- The staged records have other numbers from here on. Here there are none.
DELETE FROM record_staged;

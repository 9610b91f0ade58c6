-- The staged records have other numbers from here on, and by these a device's are found.
INSERT INTO record (agent_no, epoch, seq, device_no, at, lag, reach, suspect, stated, form, measured)
SELECT agent_no, epoch, seq, device_no, at, lag, reach, suspect, stated, form, measured FROM record_staged
WHERE TRUE ORDER BY agent_no, epoch, seq, n ON CONFLICT DO NOTHING;
DELETE FROM record_staged;

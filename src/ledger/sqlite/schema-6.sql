-- Schema version 6: fewer pages to write for each event. Ids and identities of events are hashes: an index that begins with
-- one has a place of its own for each, and every such place is a page to read, to log and to write back.

-- What an event was derived from. `identities` has only those that find another event than the one they derive, and all
-- from before this version.
ALTER TABLE events ADD COLUMN identity BLOB CHECK (length(identity) = 32);

-- The row of the event that `event_id` names: it ascends, where an id does not.
ALTER TABLE deliveries ADD COLUMN event INTEGER REFERENCES events (id);
UPDATE deliveries SET event = (SELECT e.id FROM events e WHERE e.event_id = deliveries.event_id);
DROP INDEX delivery_event;
CREATE INDEX delivery_event ON deliveries (event) WHERE event IS NOT NULL;
ALTER TABLE trace ADD COLUMN event INTEGER REFERENCES events (id);
UPDATE trace SET event = (SELECT e.id FROM events e WHERE e.event_id = trace.event_id);
DROP INDEX trace_event;
CREATE INDEX trace_event ON trace (event, id);

-- Only what waits behind the head of its lane; most lanes have one message.
DROP INDEX dispatch_waiting;
CREATE INDEX dispatch_behind ON dispatches (destination, lane, seq) WHERE state = 'due' AND head = 0;
-- What is being sent is found by its open attempt.
DROP INDEX dispatch_sending;

-- A message is found by its event and version, of which its id is made; the text is kept of older ones only. Nothing else that is
-- stored changes (https://sqlite.org/lang_altertable.html#otheralter).
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, 'webhook_id TEXT NOT NULL UNIQUE', 'webhook_id TEXT UNIQUE')
WHERE type = 'table' AND name = 'messages';
PRAGMA writable_schema = RESET;

-- Schema version 2: epochs, pauses, the audit, and deliveries that left the log.

-- Raised by every rebuild and restore. State versions of an epoch begin above epoch * 1000000.
ALTER TABLE meta ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0 CHECK (epoch BETWEEN 0 AND 4293);

-- What operators paused, and when the last pause of each ended: a message's patience is counted from then on.
CREATE TABLE pauses (
    kind TEXT NOT NULL CHECK (kind IN ('forwarding', 'destination', 'source')),
    name TEXT NOT NULL,
    by_name TEXT NOT NULL,
    by_from TEXT NOT NULL,
    reason TEXT,
    since_us INTEGER NOT NULL,
    -- Set while it is not paused.
    resumed_us INTEGER,
    PRIMARY KEY (kind, name),
    CHECK ((kind = 'forwarding') = (name = ''))
) STRICT, WITHOUT ROWID;

-- Who did what. `number` never repeats and leaves no gap: only the writer inserts, and nothing is deleted.
CREATE TABLE audit (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at_us INTEGER NOT NULL,
    by_name TEXT NOT NULL,
    by_from TEXT NOT NULL,
    reason TEXT,
    what TEXT NOT NULL CHECK (length(what) > 0),
    subject TEXT,
    -- No reference: what was done to an event that a rebuild does not find again stays on record.
    event_id BLOB CHECK (length(event_id) = 16),
    before TEXT,
    after TEXT
) STRICT;
CREATE INDEX audit_event ON audit (event_id, number) WHERE event_id IS NOT NULL;
CREATE TRIGGER audit_stays BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'an entry of the audit is never deleted'); END;
CREATE TRIGGER audit_keeps BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'an entry of the audit never changes'); END;

-- The trace is copied to the log by its numbers: none may go, and no decision may become another.
CREATE TRIGGER trace_stays BEFORE DELETE ON trace
BEGIN SELECT RAISE(ABORT, 'a decision is never deleted'); END;
CREATE TRIGGER trace_keeps BEFORE UPDATE OF id, event_id, from_state, to_state, code ON trace
BEGIN SELECT RAISE(ABORT, 'a decision never changes'); END;

-- Out of the log. The row stays: it says what came, and a repeat of it is still known.
ALTER TABLE deliveries ADD COLUMN removed TEXT CHECK (removed IN ('pruned', 'erased'));
ALTER TABLE deliveries ADD COLUMN removed_us INTEGER;
CREATE INDEX delivery_kept ON deliveries (log_id, source, seq) WHERE removed IS NULL;

-- The source of a message's event: what a pause of it holds, without reading what it holds.
ALTER TABLE dispatches ADD COLUMN source TEXT NOT NULL DEFAULT '';
UPDATE dispatches SET source =
    (SELECT e.source FROM messages m JOIN events e ON e.event_id = m.event_id WHERE m.seq = dispatches.seq);
CREATE INDEX dispatch_of_source ON dispatches (destination, source, due_us, seq) WHERE state = 'due' AND head = 1;

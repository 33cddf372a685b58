-- Schema version 2: epochs, pauses, the audit, deliveries that left the log, and search.

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
CREATE INDEX audit_by ON audit (by_name, number);
CREATE INDEX audit_what ON audit (what, number);
CREATE INDEX audit_subject ON audit (subject, number) WHERE subject IS NOT NULL;
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

-- Lists are read newest first along one of these, whatever they are filtered by.
CREATE INDEX event_source ON events (source, received_us, id);
CREATE INDEX event_code ON events (code, received_us, id);
CREATE INDEX event_provider_type ON events (provider_type, received_us, id);
DROP INDEX event_expectation;
CREATE INDEX event_expectation ON events (expectation_id, received_us, id) WHERE expectation_id IS NOT NULL;
CREATE INDEX delivery_source ON deliveries (source, received_us, id);
CREATE INDEX delivery_code ON deliveries (code, received_us, id) WHERE code IS NOT NULL;
CREATE INDEX transfer_claim_tx ON transfer_claims (tx_hash);
CREATE INDEX expectation_text ON expectations (key_text) WHERE key_text IS NOT NULL;
CREATE INDEX open_recipient ON open_recipients (recipient, expectation_id);

-- What an event is found by that it may have several of; `received_us` is its event's and never changes. Texts are
-- as stored, chains and addresses in lower case. Kept up by triggers, so that nothing that writes can forget it.
-- `key` is what else names it: the provider's event and object ids.
CREATE TABLE event_terms (
    kind TEXT NOT NULL CHECK (kind IN ('account', 'address', 'chain', 'key', 'type')),
    term TEXT NOT NULL,
    received_us INTEGER NOT NULL,
    id INTEGER NOT NULL REFERENCES events (id),
    PRIMARY KEY (kind, term, received_us, id)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER terms_of_new_event AFTER INSERT ON events BEGIN
    INSERT INTO event_terms
    SELECT f.kind, f.term, NEW.received_us, NEW.id FROM (
        SELECT 'account' AS kind, NEW.facts ->> '$.account' AS term
        UNION ALL SELECT 'key', NEW.facts ->> '$.provider_event_id'
        UNION ALL SELECT 'key', NEW.facts ->> '$.lane'
    ) f WHERE f.term IS NOT NULL ON CONFLICT DO NOTHING;
END;
-- A snapshot that takes a thin event over says more.
CREATE TRIGGER terms_of_new_facts AFTER UPDATE OF facts ON events BEGIN
    INSERT INTO event_terms
    SELECT f.kind, f.term, NEW.received_us, NEW.id FROM (
        SELECT 'account' AS kind, NEW.facts ->> '$.account' AS term
        UNION ALL SELECT 'key', NEW.facts ->> '$.provider_event_id'
        UNION ALL SELECT 'key', NEW.facts ->> '$.lane'
    ) f WHERE f.term IS NOT NULL ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER terms_of_claim AFTER INSERT ON claim_versions BEGIN
    INSERT INTO event_terms
    SELECT f.kind, f.term, e.received_us, e.id FROM (
        SELECT 'chain' AS kind, lower(trim(NEW.claim ->> '$.network')) AS term
        UNION ALL SELECT 'address', lower(trim(NEW.claim ->> '$.payer'))
    ) f CROSS JOIN events e ON e.event_id = NEW.event_id WHERE f.term IS NOT NULL ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER terms_of_transfer AFTER INSERT ON transfer_claims BEGIN
    INSERT INTO event_terms
    SELECT f.kind, f.term, e.received_us, e.id FROM (
        SELECT 'chain' AS kind, CAST(NEW.chain_id AS TEXT) AS term
        UNION ALL SELECT 'address', '0x' || lower(hex(NEW.recipient))
        UNION ALL SELECT 'address', '0x' || lower(hex(NEW.token)) WHERE length(NEW.token) > 0
    ) f CROSS JOIN events e ON e.event_id = NEW.event_id WHERE true ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER terms_of_message AFTER INSERT ON messages BEGIN
    INSERT INTO event_terms
    SELECT 'type', NEW.message_type, e.received_us, e.id FROM events e WHERE e.event_id = NEW.event_id
    ON CONFLICT DO NOTHING;
END;
-- The terms that an event was matched with do not change afterwards.
CREATE TRIGGER terms_of_match AFTER UPDATE OF expectation_id ON events
WHEN NEW.expectation_id IS NOT NULL AND NEW.expectation_id IS NOT OLD.expectation_id BEGIN
    INSERT INTO event_terms
    SELECT 'address', lower(f.term), NEW.received_us, NEW.id FROM (
        SELECT x.terms ->> '$.payer' AS term FROM expectations x WHERE x.id = NEW.expectation_id
        UNION ALL
        SELECT a.value FROM expectations x, json_tree(x.terms, '$.accept') a
        WHERE x.id = NEW.expectation_id AND (a.key = 'token' OR a.path LIKE '%.recipients')
    ) f WHERE f.term IS NOT NULL ON CONFLICT DO NOTHING;
END;

-- What was there before the triggers. Rewriting a column as it is sets them off.
UPDATE events SET facts = facts;
INSERT INTO event_terms
SELECT DISTINCT 'chain', lower(trim(c.claim ->> '$.network')), e.received_us, e.id
FROM claim_versions c JOIN events e ON e.event_id = c.event_id;
INSERT INTO event_terms
SELECT DISTINCT 'type', m.message_type, e.received_us, e.id FROM messages m JOIN events e ON e.event_id = m.event_id;
INSERT INTO event_terms
SELECT f.kind, f.term, e.received_us, e.id FROM (
    SELECT event_id, 'chain' AS kind, CAST(chain_id AS TEXT) AS term FROM transfer_claims
    UNION SELECT event_id, 'address', '0x' || lower(hex(recipient)) FROM transfer_claims
    UNION SELECT event_id, 'address', '0x' || lower(hex(token)) FROM transfer_claims WHERE length(token) > 0
    UNION SELECT event_id, 'address', lower(trim(claim ->> '$.payer')) FROM claim_versions
    UNION SELECT e.event_id, 'address', lower(x.terms ->> '$.payer')
        FROM events e JOIN expectations x ON x.id = e.expectation_id
    UNION SELECT e.event_id, 'address', lower(a.value)
        FROM events e JOIN expectations x ON x.id = e.expectation_id, json_tree(x.terms, '$.accept') a
        WHERE a.key = 'token' OR a.path LIKE '%.recipients'
) f JOIN events e ON e.event_id = f.event_id WHERE f.term IS NOT NULL ON CONFLICT DO NOTHING;

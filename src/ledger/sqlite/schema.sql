-- The embedded ledger, schema version 1. Every guarantee the product gives is a constraint here.
--
-- Times are microseconds since the Unix epoch. Ids, hashes and amounts are blobs of fixed length; amounts are
-- 32 big-endian bytes, added by the program and never by SQL. Sets of states are spelled out, so that a value
-- of another version is refused when it is written and not discovered when it is read.

CREATE TABLE meta (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    ledger_id BLOB NOT NULL CHECK (length(ledger_id) = 16),
    created_us INTEGER NOT NULL
) STRICT;

-- How far each log was read; 0 is a log that was adopted while it was empty. `turn` says which one moved last.
CREATE TABLE cursor (
    log_id BLOB PRIMARY KEY CHECK (length(log_id) = 16),
    seq INTEGER NOT NULL CHECK (seq >= 0),
    link BLOB NOT NULL CHECK (length(link) = 32),
    turn INTEGER NOT NULL UNIQUE
) STRICT;

CREATE TABLE expectations (
    id TEXT PRIMARY KEY,
    realm TEXT NOT NULL,
    key_kind TEXT NOT NULL CHECK (key_kind IN ('request_id', 'payment_reference', 'provider_object', 'direct')),
    key_text TEXT,
    terms TEXT NOT NULL,
    version INTEGER NOT NULL CHECK (version > 0),
    state TEXT NOT NULL
        CHECK (state IN ('open', 'partial', 'paid', 'overpaid', 'late', 'expired', 'cancelled')),
    -- One amount a way to pay.
    received BLOB NOT NULL CHECK (length(received) > 0 AND length(received) % 32 = 0),
    -- Deadline and grace; block times after it are late.
    ends_us INTEGER,
    created_us INTEGER NOT NULL,
    updated_us INTEGER NOT NULL,
    CHECK ((key_kind = 'direct') = (key_text IS NULL))
) STRICT;

-- A second open expectation of one key cannot exist.
CREATE UNIQUE INDEX expectation_open ON expectations (realm, key_kind, key_text)
    WHERE key_text IS NOT NULL AND state IN ('open', 'partial');
CREATE INDEX expectation_ends ON expectations (ends_us) WHERE ends_us IS NOT NULL AND state IN ('open', 'partial');
CREATE INDEX expectation_by_key ON expectations (realm, key_kind, key_text) WHERE key_text IS NOT NULL;

-- Recipients of the open expectations: whether a direct transfer can be told apart.
CREATE TABLE open_recipients (
    chain_id INTEGER NOT NULL,
    recipient BLOB NOT NULL CHECK (length(recipient) = 20),
    expectation_id TEXT NOT NULL REFERENCES expectations (id),
    PRIMARY KEY (chain_id, recipient, expectation_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX open_recipients_of ON open_recipients (expectation_id);

CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    event_id BLOB NOT NULL UNIQUE CHECK (length(event_id) = 16),
    source TEXT NOT NULL,
    realm TEXT NOT NULL,
    provider_type TEXT NOT NULL,
    received_us INTEGER NOT NULL,
    facts TEXT NOT NULL,
    -- Known by a thin delivery only: a snapshot may still take it over.
    thin INTEGER NOT NULL CHECK (thin IN (0, 1)),
    lane TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('received', 'verifying', 'awaiting_finality', 'forwarding', 'forwarded',
        'settled', 'refuted', 'undetermined', 'held', 'ignored', 'dead', 'retracted')),
    code TEXT,
    version INTEGER NOT NULL CHECK (version > 0),
    state_version INTEGER NOT NULL CHECK (state_version >= 0),
    -- When verification looks; set only while it should.
    due_us INTEGER,
    looks INTEGER NOT NULL CHECK (looks >= 0),
    first_look_us INTEGER,
    anchor TEXT,
    anchor_checked_us INTEGER,
    -- A message waits for a look at its anchor.
    anchor_check INTEGER NOT NULL CHECK (anchor_check IN (0, 1)),
    expectation_id TEXT REFERENCES expectations (id),
    payment_id TEXT,
    updated_us INTEGER NOT NULL,
    CHECK (anchor_check = 0 OR (anchor IS NOT NULL AND state = 'forwarding'))
) STRICT;
CREATE INDEX event_due ON events (due_us, id) WHERE due_us IS NOT NULL;
CREATE INDEX event_received ON events (received_us, id);
CREATE INDEX event_state ON events (state, received_us, id);
CREATE INDEX event_held ON events (updated_us) WHERE state = 'held';
CREATE INDEX event_expectation ON events (expectation_id) WHERE expectation_id IS NOT NULL;
-- A payment is one event's.
CREATE UNIQUE INDEX event_payment ON events (payment_id) WHERE payment_id IS NOT NULL;

CREATE TABLE deliveries (
    id INTEGER PRIMARY KEY,
    delivery_id BLOB NOT NULL UNIQUE CHECK (length(delivery_id) = 16),
    log_id BLOB NOT NULL CHECK (length(log_id) = 16),
    seq INTEGER NOT NULL,
    source TEXT NOT NULL,
    received_us INTEGER NOT NULL,
    body_sha256 BLOB NOT NULL CHECK (length(body_sha256) = 32),
    event_id BLOB REFERENCES events (event_id),
    code TEXT,
    CHECK ((event_id IS NULL) <> (code IS NULL)),
    UNIQUE (log_id, seq)
) STRICT;
CREATE INDEX delivery_received ON deliveries (received_us, id);
CREATE INDEX delivery_event ON deliveries (event_id) WHERE event_id IS NOT NULL;

CREATE TABLE identities (
    identity BLOB PRIMARY KEY CHECK (length(identity) = 32),
    event_id BLOB NOT NULL REFERENCES events (event_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX identity_event ON identities (event_id);
CREATE TRIGGER identities_stay BEFORE DELETE ON identities
BEGIN SELECT RAISE(ABORT, 'an identity is never deleted'); END;

CREATE TABLE claim_versions (
    id INTEGER PRIMARY KEY,
    event_id BLOB NOT NULL REFERENCES events (event_id),
    fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 32),
    claim TEXT NOT NULL,
    request_id TEXT,
    payment_reference TEXT,
    tx TEXT NOT NULL,
    delivery_id BLOB NOT NULL CHECK (length(delivery_id) = 16),
    at_us INTEGER NOT NULL,
    UNIQUE (event_id, fingerprint)
) STRICT;
CREATE INDEX claim_request ON claim_versions (request_id) WHERE request_id IS NOT NULL;
CREATE INDEX claim_reference ON claim_versions (payment_reference) WHERE payment_reference IS NOT NULL;
CREATE INDEX claim_tx ON claim_versions (tx);

-- Which provider objects an event is about: an expectation may be keyed by one.
CREATE TABLE claim_objects (
    object TEXT NOT NULL,
    event_id BLOB NOT NULL REFERENCES events (event_id),
    PRIMARY KEY (object, event_id)
) STRICT, WITHOUT ROWID;

-- A transfer settles one payment, for ever: by its transaction, and by its place on chain.
CREATE TABLE transfer_claims (
    id INTEGER PRIMARY KEY,
    event_id BLOB NOT NULL REFERENCES events (event_id),
    chain_id INTEGER NOT NULL,
    tx_hash BLOB NOT NULL CHECK (length(tx_hash) = 32),
    slot TEXT NOT NULL CHECK (length(slot) > 0),
    block_hash BLOB NOT NULL CHECK (length(block_hash) = 32),
    block_number INTEGER NOT NULL,
    tx_index INTEGER NOT NULL,
    amount BLOB NOT NULL CHECK (length(amount) = 32),
    -- Empty is the chain's native coin.
    token BLOB NOT NULL CHECK (length(token) IN (0, 20)),
    recipient BLOB NOT NULL CHECK (length(recipient) = 20),
    payment_id TEXT NOT NULL,
    expectation_id TEXT REFERENCES expectations (id),
    join_realm TEXT,
    join_reference TEXT,
    state TEXT NOT NULL CHECK (state IN ('claimed', 'tombstone')),
    claimed_us INTEGER NOT NULL,
    UNIQUE (chain_id, tx_hash, slot),
    UNIQUE (chain_id, block_hash, tx_index, slot)
) STRICT;
CREATE INDEX transfer_claim_event ON transfer_claims (event_id);
CREATE TRIGGER transfer_claims_stay BEFORE DELETE ON transfer_claims
BEGIN SELECT RAISE(ABORT, 'a transfer claim is never deleted'); END;

CREATE TRIGGER transfer_claims_keep_their_event BEFORE UPDATE OF event_id, chain_id, tx_hash, slot ON transfer_claims
BEGIN SELECT RAISE(ABORT, 'a transfer claim never changes its transfer or its event'); END;

-- Standing payments of an expectation, in the order they were confirmed.
CREATE TABLE expectation_payments (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    expectation_id TEXT NOT NULL REFERENCES expectations (id),
    event_id BLOB NOT NULL UNIQUE REFERENCES events (event_id),
    payment_id TEXT NOT NULL UNIQUE,
    accept_index INTEGER NOT NULL CHECK (accept_index >= 0),
    amount BLOB NOT NULL CHECK (length(amount) = 32),
    step TEXT NOT NULL CHECK (step IN ('partial', 'completed', 'excess'))
) STRICT;
CREATE INDEX expectation_payment_of ON expectation_payments (expectation_id, id);
-- An expectation is completed by one payment.
CREATE UNIQUE INDEX expectation_completed ON expectation_payments (expectation_id) WHERE step = 'completed';

CREATE TABLE trace (
    id INTEGER PRIMARY KEY,
    event_id BLOB NOT NULL REFERENCES events (event_id),
    at_us INTEGER NOT NULL,
    from_state TEXT,
    to_state TEXT NOT NULL,
    code TEXT,
    detail TEXT NOT NULL
) STRICT;
CREATE INDEX trace_event ON trace (event_id, id);

-- The outbox. `seq` never repeats and leaves no gap: only the writer inserts, and nothing is deleted.
CREATE TABLE messages (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    webhook_id TEXT NOT NULL UNIQUE,
    event_id BLOB NOT NULL REFERENCES events (event_id),
    state_version INTEGER NOT NULL CHECK (state_version > 0),
    lane TEXT NOT NULL,
    message_type TEXT NOT NULL,
    body BLOB NOT NULL,
    payment_id TEXT,
    created_us INTEGER NOT NULL,
    -- The first intent to send it anywhere: from then on it counts as forwarded.
    first_intent_us INTEGER,
    UNIQUE (event_id, state_version)
) STRICT;

CREATE TRIGGER messages_stay BEFORE DELETE ON messages
BEGIN SELECT RAISE(ABORT, 'a message is never deleted'); END;
-- A retry, the feed and a replay send the bytes that were rendered once.
CREATE TRIGGER messages_keep_their_bytes
BEFORE UPDATE OF seq, webhook_id, event_id, state_version, lane, message_type, body, payment_id, created_us ON messages
BEGIN SELECT RAISE(ABORT, 'a message never changes'); END;

-- A message at one destination. `head` marks the oldest unfinished one of its lane, so that finding what is
-- due reads only what it returns, however much waits behind.
CREATE TABLE dispatches (
    destination TEXT NOT NULL,
    seq INTEGER NOT NULL REFERENCES messages (seq),
    lane TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('due', 'sending', 'delivered', 'dead', 'superseded')),
    head INTEGER NOT NULL CHECK (head IN (0, 1)),
    due_us INTEGER NOT NULL,
    attempts INTEGER NOT NULL CHECK (attempts >= 0),
    PRIMARY KEY (destination, seq),
    CHECK (head = 0 OR state IN ('due', 'sending'))
) STRICT, WITHOUT ROWID;
CREATE INDEX dispatch_ready ON dispatches (destination, due_us, seq) WHERE state = 'due' AND head = 1;
CREATE UNIQUE INDEX dispatch_head ON dispatches (destination, lane) WHERE head = 1;
CREATE INDEX dispatch_waiting ON dispatches (destination, lane, seq) WHERE state IN ('due', 'sending');
CREATE INDEX dispatch_open ON dispatches (seq) WHERE state IN ('due', 'sending');
CREATE INDEX dispatch_sending ON dispatches (destination, seq) WHERE state = 'sending';
CREATE INDEX dispatch_message ON dispatches (seq);

CREATE TABLE attempts (
    attempt_id BLOB PRIMARY KEY CHECK (length(attempt_id) = 16),
    seq INTEGER NOT NULL,
    destination TEXT NOT NULL,
    started_us INTEGER NOT NULL,
    finished_us INTEGER,
    status INTEGER,
    outcome TEXT,
    latency_ms INTEGER,
    response TEXT,
    FOREIGN KEY (destination, seq) REFERENCES dispatches (destination, seq)
) STRICT;
CREATE INDEX attempt_dispatch ON attempts (seq, destination);
CREATE INDEX attempt_open ON attempts (attempt_id) WHERE finished_us IS NULL;

-- Counts that metrics read without a scan.
CREATE TABLE counts (
    kind TEXT NOT NULL CHECK (kind IN ('event', 'outbox')),
    name TEXT NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER count_event_new AFTER INSERT ON events BEGIN
    INSERT INTO counts VALUES ('event', NEW.state, 1) ON CONFLICT DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER count_event_moved AFTER UPDATE OF state ON events WHEN OLD.state <> NEW.state BEGIN
    UPDATE counts SET n = n - 1 WHERE kind = 'event' AND name = OLD.state;
    INSERT INTO counts VALUES ('event', NEW.state, 1) ON CONFLICT DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER count_dispatch_new AFTER INSERT ON dispatches BEGIN
    INSERT INTO counts VALUES ('outbox', NEW.destination, 1) ON CONFLICT DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER count_dispatch_ended AFTER UPDATE OF state ON dispatches
WHEN OLD.state IN ('due', 'sending') AND NEW.state NOT IN ('due', 'sending') BEGIN
    UPDATE counts SET n = n - 1 WHERE kind = 'outbox' AND name = NEW.destination;
END;
CREATE TRIGGER count_dispatch_reopened AFTER UPDATE OF state ON dispatches
WHEN OLD.state NOT IN ('due', 'sending') AND NEW.state IN ('due', 'sending') BEGIN
    UPDATE counts SET n = n + 1 WHERE kind = 'outbox' AND name = NEW.destination;
END;

-- Schema version 3: waiting by height, payments that left the chain, evidence of the chain, and what operators set
-- for chains.

-- What an event waits for: the head, `safe` or `finalized` of a chain at a height. Waiting costs no calls: whoever
-- follows the heads wakes what has been reached. `due_us` is the time at which it is looked at in any case.
ALTER TABLE events ADD COLUMN wait_chain INTEGER;
ALTER TABLE events ADD COLUMN wait_reach TEXT CHECK (wait_reach IN ('head', 'safe', 'finalized'));
ALTER TABLE events ADD COLUMN wait_height INTEGER;
CREATE INDEX event_wait ON events (wait_chain, wait_reach, wait_height) WHERE wait_chain IS NOT NULL;

-- Who sent the transaction and under which nonce, from its first inclusion: what tells a replaced one from a lost one.
ALTER TABLE events ADD COLUMN sender TEXT;

-- Dollars at risk (micros): forwarded before its block was final.
ALTER TABLE events ADD COLUMN exposed_usd_micros INTEGER CHECK (exposed_usd_micros >= 0);
CREATE INDEX event_exposed ON events (anchor ->> '$.chain_id') WHERE exposed_usd_micros IS NOT NULL;

-- Events that stand on a block which may still leave the chain.
CREATE INDEX event_anchor ON events (anchor ->> '$.chain_id', anchor ->> '$.block_number')
    WHERE anchor IS NOT NULL AND state IN ('awaiting_finality', 'undetermined', 'forwarding', 'forwarded', 'dead');

-- What proves a payment years later without a node: header, receipt, proof nodes, votes. Kept for every block that a
-- message stood on.
CREATE TABLE chain_evidence (
    event_id BLOB NOT NULL REFERENCES events (event_id),
    block_hash BLOB NOT NULL CHECK (length(block_hash) = 32),
    at_us INTEGER NOT NULL,
    bundle TEXT NOT NULL CHECK (json_valid(bundle)),
    PRIMARY KEY (event_id, block_hash)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER chain_evidence_stays BEFORE DELETE ON chain_evidence
BEGIN SELECT RAISE(ABORT, 'evidence of the chain is never deleted'); END;

-- Finality tiers that an operator set at run time; they go before the configuration's.
CREATE TABLE finality_overrides (
    chain TEXT PRIMARY KEY,
    tiers TEXT NOT NULL CHECK (json_valid(tiers)),
    by_name TEXT NOT NULL,
    by_from TEXT NOT NULL,
    reason TEXT,
    since_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Nodes that an operator, or a deep reorganisation, took out; an empty node is the whole chain.
CREATE TABLE cordons (
    chain TEXT NOT NULL,
    node TEXT NOT NULL,
    by_name TEXT NOT NULL,
    by_from TEXT NOT NULL,
    reason TEXT,
    since_us INTEGER NOT NULL,
    PRIMARY KEY (chain, node)
) STRICT, WITHOUT ROWID;

-- How far each chain was searched for money that no webhook announced; never jumps.
CREATE TABLE scan_cursors (
    chain_id INTEGER PRIMARY KEY,
    height INTEGER NOT NULL CHECK (height >= 0),
    block_hash BLOB NOT NULL CHECK (length(block_hash) = 32),
    at_us INTEGER NOT NULL
) STRICT;

-- What a scan goes on looking for although it has ended.
CREATE INDEX expectation_ended ON expectations (updated_us) WHERE state IN ('paid', 'overpaid', 'late', 'expired');

-- Schema version 4: long work that outlives a restart, and messages that are sent again.

-- Work that goes through the ledger step by step. A step does its part and moves the cursor in one transaction, so a
-- crash between two steps costs nothing and one within a step undoes it. What ended is forgotten after a while.
CREATE TABLE jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id BLOB NOT NULL UNIQUE CHECK (length(job_id) = 16),
    kind TEXT NOT NULL CHECK (kind IN ('replay', 'resend')),
    by_name TEXT NOT NULL,
    by_from TEXT NOT NULL,
    reason TEXT,
    params TEXT NOT NULL CHECK (json_valid(params)),
    state TEXT NOT NULL CHECK (state IN ('running', 'done', 'failed', 'cancelled')),
    -- Somebody asked it to stop; it does before its next step.
    cancel INTEGER NOT NULL CHECK (cancel IN (0, 1)),
    started_us INTEGER NOT NULL,
    finished_us INTEGER,
    -- Where the next step begins; the kind's own business.
    cursor TEXT,
    done INTEGER NOT NULL CHECK (done >= 0),
    total INTEGER CHECK (total >= 0),
    doing TEXT NOT NULL,
    report TEXT NOT NULL CHECK (json_valid(report)),
    error TEXT,
    CHECK ((state = 'running') = (finished_us IS NULL)),
    CHECK ((state = 'failed') = (error IS NOT NULL))
) STRICT;
CREATE UNIQUE INDEX job_running ON jobs (kind) WHERE state = 'running';
CREATE TRIGGER jobs_end_once BEFORE UPDATE ON jobs WHEN OLD.state <> 'running'
BEGIN SELECT RAISE(ABORT, 'a job that ended never changes'); END;
CREATE TRIGGER jobs_keep_what_was_asked
BEFORE UPDATE OF job_id, kind, by_name, by_from, reason, params, started_us ON jobs
BEGIN SELECT RAISE(ABORT, 'what a job was asked never changes'); END;
CREATE TRIGGER running_jobs_stay BEFORE DELETE ON jobs WHEN OLD.state = 'running'
BEGIN SELECT RAISE(ABORT, 'a running job is never deleted'); END;

-- The job that made a message due again, and when: its patience is counted from then on. No reference: jobs are
-- forgotten.
ALTER TABLE dispatches ADD COLUMN replay_id BLOB CHECK (length(replay_id) = 16);
ALTER TABLE dispatches ADD COLUMN resent_us INTEGER;
CREATE INDEX dispatch_dead ON dispatches (seq, destination) WHERE state = 'dead';

-- An operator's word that lets a proven payment pass although a rule holds it; the newest one counts. The audit has all.
CREATE TABLE acceptances (
    event_id BLOB PRIMARY KEY REFERENCES events (event_id),
    code TEXT NOT NULL,
    by_name TEXT NOT NULL,
    reason TEXT NOT NULL CHECK (length(reason) > 0),
    at_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

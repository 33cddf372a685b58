-- Schema version 5: when a destination was left alone, so that no message's patience runs in an outage, over restarts too.

CREATE TABLE outages (
    destination TEXT NOT NULL,
    -- Which one, from 0, the oldest first.
    place INTEGER NOT NULL CHECK (place >= 0),
    began_us INTEGER NOT NULL,
    -- None while it lasts.
    ended_us INTEGER,
    PRIMARY KEY (destination, place),
    CHECK (began_us <= ended_us)
) STRICT, WITHOUT ROWID;

-- A CHECK with a list of more than two makes SQLite build a table of it at every write, which was a tenth of what sending a
-- message cost; comparisons build nothing and allow the same. Nothing that is stored changes
-- (https://sqlite.org/lang_altertable.html#otheralter).
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql,
    'state IN (''received'', ''verifying'', ''awaiting_finality'', ''forwarding'', ''forwarded'',
        ''settled'', ''refuted'', ''undetermined'', ''held'', ''ignored'', ''dead'', ''retracted'')',
    'state = ''received'' OR state = ''verifying'' OR state = ''awaiting_finality'' OR state = ''forwarding'' OR
     state = ''forwarded'' OR state = ''settled'' OR state = ''refuted'' OR state = ''undetermined'' OR
     state = ''held'' OR state = ''ignored'' OR state = ''dead'' OR state = ''retracted''')
WHERE type = 'table' AND name = 'events';
UPDATE sqlite_schema SET sql = replace(sql,
    'wait_reach IN (''head'', ''safe'', ''finalized'')',
    'wait_reach = ''head'' OR wait_reach = ''safe'' OR wait_reach = ''finalized''')
WHERE type = 'table' AND name = 'events';
UPDATE sqlite_schema SET sql = replace(sql,
    'state IN (''due'', ''sending'', ''delivered'', ''dead'', ''superseded'')',
    'state = ''due'' OR state = ''sending'' OR state = ''delivered'' OR state = ''dead'' OR state = ''superseded''')
WHERE type = 'table' AND name = 'dispatches';
PRAGMA writable_schema = RESET;

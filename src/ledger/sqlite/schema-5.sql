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

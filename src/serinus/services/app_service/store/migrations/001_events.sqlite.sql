-- Times are microseconds since 1970 in UTC. A position is a row's place in the order of commits:
-- writers of SQLite come one after the other, so a counter within the transaction is enough.
CREATE TABLE positions (last INTEGER NOT NULL) STRICT;
INSERT INTO positions (last) VALUES (0);

CREATE TABLE reviews (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    unit BLOB NOT NULL CHECK (length(unit) = 16),
    idempotency BLOB,
    content BLOB,
    epoch INTEGER,
    weight INTEGER,
    arm TEXT,
    enrolment TEXT NOT NULL,
    client_class TEXT NOT NULL,
    frontend_track TEXT,
    service_track TEXT NOT NULL,
    model_track TEXT,
    recorded_at INTEGER NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('pending', 'ok', 'failed')),
    failure TEXT,
    label TEXT,
    confidence REAL,
    model_name TEXT,
    model_version TEXT,
    model_digest TEXT,
    confidence_shown INTEGER NOT NULL,
    flags_digest TEXT NOT NULL,
    feedback_action TEXT,
    feedback_sentiment TEXT,
    feedback_at INTEGER,
    overridden INTEGER NOT NULL DEFAULT 0,
    erased_at INTEGER,
    position INTEGER NOT NULL UNIQUE,
    -- Rows without a key never collide; the index also finds a unit's rows for erasure.
    UNIQUE (unit, idempotency)
) STRICT;
CREATE INDEX reviews_awaiting ON reviews (service_track)
    WHERE status = 'ok' AND feedback_action IS NULL AND erased_at IS NULL;
CREATE INDEX reviews_pending ON reviews (recorded_at) WHERE status = 'pending';

CREATE TABLE review_texts (
    review_key INTEGER PRIMARY KEY REFERENCES reviews (key),
    text TEXT NOT NULL
) STRICT;

CREATE TABLE feedback (
    key INTEGER PRIMARY KEY,
    review_key INTEGER NOT NULL REFERENCES reviews (key),
    unit BLOB NOT NULL CHECK (length(unit) = 16),
    epoch INTEGER,
    weight INTEGER,
    arm TEXT,
    enrolment TEXT NOT NULL,
    client_class TEXT NOT NULL,
    frontend_track TEXT,
    service_track TEXT NOT NULL,
    recorded_at INTEGER NOT NULL,
    action TEXT NOT NULL CHECK (action IN ('confirm', 'override')),
    sentiment TEXT NOT NULL,
    position INTEGER NOT NULL UNIQUE
) STRICT;
CREATE INDEX feedback_unit ON feedback (unit);
CREATE INDEX feedback_review ON feedback (review_key);

CREATE TABLE enrolments (
    unit BLOB NOT NULL CHECK (length(unit) = 16),
    epoch INTEGER NOT NULL,
    client_class TEXT NOT NULL,
    recorded_at INTEGER NOT NULL,
    PRIMARY KEY (unit, epoch)
) STRICT, WITHOUT ROWID;

CREATE TABLE exposures (
    key INTEGER PRIMARY KEY,
    unit BLOB NOT NULL CHECK (length(unit) = 16),
    epoch INTEGER NOT NULL,
    weight INTEGER NOT NULL,
    arm TEXT NOT NULL,
    enrolment TEXT NOT NULL,
    "trigger" TEXT NOT NULL,
    client_class TEXT NOT NULL,
    frontend_track TEXT,
    service_track TEXT NOT NULL,
    recorded_at INTEGER NOT NULL,
    position INTEGER NOT NULL UNIQUE,
    UNIQUE (unit, epoch, arm, "trigger")
) STRICT;

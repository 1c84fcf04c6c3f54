-- A row's place in the order of commits is (tx, seq). A sequence alone is not one: a number drawn
-- early may be committed late. Readers stop at the oldest open transaction.
-- tx_offset stays 0 until the store is restored into another cluster, whose transaction numbers
-- start over; migrate.py then raises it above everything that is in the store.
CREATE TABLE positions (tx_offset bigint NOT NULL);
INSERT INTO positions (tx_offset) VALUES (0);
CREATE SEQUENCE position_seq CACHE 1;
CREATE FUNCTION position_tx() RETURNS bigint LANGUAGE sql VOLATILE AS
    'SELECT tx_offset + pg_current_xact_id()::text::bigint FROM positions';

CREATE TABLE reviews (
    key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text NOT NULL UNIQUE,
    unit bytea NOT NULL CHECK (length(unit) = 16),
    idempotency bytea,
    content bytea,
    epoch integer,
    weight integer,
    arm text,
    enrolment text NOT NULL,
    client_class text NOT NULL,
    frontend_track text,
    service_track text NOT NULL,
    model_track text,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    status text NOT NULL CHECK (status IN ('pending', 'ok', 'failed')),
    failure text,
    label text,
    confidence double precision,
    model_name text,
    model_version text,
    model_digest text,
    confidence_shown boolean NOT NULL,
    flags_digest text NOT NULL,
    feedback_action text,
    feedback_sentiment text,
    feedback_at timestamptz,
    overridden boolean NOT NULL DEFAULT false,
    erased_at timestamptz,
    tx bigint NOT NULL DEFAULT position_tx(),
    seq bigint NOT NULL DEFAULT nextval('position_seq'),
    -- Rows without a key never collide; the index also finds a unit's rows for erasure.
    UNIQUE (unit, idempotency)
);
CREATE INDEX reviews_position ON reviews (tx, seq);
CREATE INDEX reviews_awaiting ON reviews (service_track)
    WHERE status = 'ok' AND feedback_action IS NULL AND erased_at IS NULL;
CREATE INDEX reviews_pending ON reviews (recorded_at) WHERE status = 'pending';

CREATE TABLE review_texts (
    review_key bigint PRIMARY KEY REFERENCES reviews (key),
    text text NOT NULL
);

CREATE TABLE feedback (
    key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    review_key bigint NOT NULL REFERENCES reviews (key),
    unit bytea NOT NULL CHECK (length(unit) = 16),
    epoch integer,
    weight integer,
    arm text,
    enrolment text NOT NULL,
    client_class text NOT NULL,
    frontend_track text,
    service_track text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    action text NOT NULL CHECK (action IN ('confirm', 'override')),
    sentiment text NOT NULL,
    tx bigint NOT NULL DEFAULT position_tx(),
    seq bigint NOT NULL DEFAULT nextval('position_seq')
);
CREATE INDEX feedback_position ON feedback (tx, seq);
CREATE INDEX feedback_unit ON feedback (unit);
CREATE INDEX feedback_review ON feedback (review_key);

CREATE TABLE enrolments (
    unit bytea NOT NULL CHECK (length(unit) = 16),
    epoch integer NOT NULL,
    client_class text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (unit, epoch)
);

CREATE TABLE exposures (
    key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    unit bytea NOT NULL CHECK (length(unit) = 16),
    epoch integer NOT NULL,
    weight integer NOT NULL,
    arm text NOT NULL,
    enrolment text NOT NULL,
    "trigger" text NOT NULL,
    client_class text NOT NULL,
    frontend_track text,
    service_track text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    tx bigint NOT NULL DEFAULT position_tx(),
    seq bigint NOT NULL DEFAULT nextval('position_seq'),
    UNIQUE (unit, epoch, arm, "trigger")
);
CREATE INDEX exposures_position ON exposures (tx, seq);

-- The first schema that a ledger was ever written with, and a little of what it held.
-- Frozen: later migrations are tested against it. SERIAL_KEY is the database's own counting key.
CREATE TABLE ledger_schema (version INTEGER PRIMARY KEY);
INSERT INTO ledger_schema VALUES (1);
CREATE TABLE owners (
    id TEXT PRIMARY KEY, host TEXT NOT NULL, pid INTEGER NOT NULL,
    started_at TEXT NOT NULL, beat_at TEXT NOT NULL);
CREATE TABLE runs (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, started_at TEXT NOT NULL,
    budget_nano_usd BIGINT);
CREATE TABLE attempts (
    id TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, holds INTEGER NOT NULL,
    state TEXT NOT NULL, charged TEXT, cause TEXT NOT NULL,
    run_id TEXT NOT NULL, owner_id TEXT,
    service TEXT NOT NULL, account TEXT NOT NULL, model TEXT NOT NULL,
    sequence TEXT NOT NULL, shot TEXT NOT NULL, take INTEGER NOT NULL,
    inputs TEXT NOT NULL, seed BIGINT,
    nano_units_quoted BIGINT NOT NULL, unit_price_nano_usd BIGINT NOT NULL,
    cost_nano_usd_quoted BIGINT NOT NULL, price_source TEXT NOT NULL,
    price_as_of TEXT NOT NULL,
    request_id TEXT, urls TEXT, media_url TEXT, clip_sha256 TEXT, num_frames INTEGER,
    created_at TEXT NOT NULL, posted_at TEXT, submitted_at TEXT, ended_at TEXT,
    stored_at TEXT);
CREATE UNIQUE INDEX one_live_attempt ON attempts (fingerprint) WHERE holds = 1;
CREATE UNIQUE INDEX one_attempt_a_request ON attempts (service, account, request_id)
    WHERE request_id IS NOT NULL;
CREATE INDEX attempts_by_state ON attempts (service, account, state);
CREATE INDEX attempts_by_run ON attempts (run_id);
CREATE TABLE events (
    id SERIAL_KEY, attempt_id TEXT NOT NULL, at TEXT NOT NULL, state TEXT NOT NULL,
    cause TEXT NOT NULL, owner_id TEXT);
CREATE INDEX events_by_attempt ON events (attempt_id);
CREATE TABLE charges (
    id SERIAL_KEY, attempt_id TEXT NOT NULL, run_id TEXT NOT NULL, service TEXT NOT NULL,
    account TEXT NOT NULL, request_id TEXT, at TEXT NOT NULL, nano_units BIGINT NOT NULL,
    cost_nano_usd BIGINT NOT NULL, currency TEXT NOT NULL, source TEXT NOT NULL,
    cause TEXT NOT NULL);
CREATE INDEX charges_by_attempt ON charges (attempt_id);
CREATE INDEX charges_by_run ON charges (run_id);
CREATE INDEX charges_by_account ON charges (service, account, at);
CREATE TABLE uploads (
    service TEXT NOT NULL, account TEXT NOT NULL, sha256 TEXT NOT NULL, url TEXT NOT NULL,
    at TEXT NOT NULL, PRIMARY KEY (service, account, sha256));
CREATE TABLE ledger_probe (at TEXT);
INSERT INTO ledger_probe VALUES ('open');
INSERT INTO runs VALUES ('run', 'harbour', '2026-11-21T10:00:00.000000+00:00', 1000000000);
INSERT INTO attempts VALUES (
    'stored-1', 'f1', 1, 'stored', 'yes', 'the clip is in the store', 'run', 'owner',
    'fal', 'default', 'fal-ai/magi-distilled', 'opening', 'captain', 1,
    '{"prompt": "the sea", "seed": 7}', 7,
    4000000000, 80000000, 320000000, 'price_rule', '2026-11-21',
    'r1', '{"status_url": "https://queue.fal.run/s"}', 'https://v3.fal.media/a.mp4', '5ha', 96,
    '2026-11-21T10:00:01.000000+00:00', '2026-11-21T10:00:02.000000+00:00',
    '2026-11-21T10:00:03.000000+00:00', '2026-11-21T10:02:00.000000+00:00',
    '2026-11-21T10:02:05.000000+00:00');
INSERT INTO attempts VALUES (
    'unknown-2', 'f2', 1, 'unknown', NULL, 'ReadTimeout from queue.fal.run', 'run', 'owner',
    'fal', 'default', 'fal-ai/magi-distilled', 'opening', 'ship', 1,
    '{"prompt": "the ship", "seed": 8}', 8,
    4000000000, 80000000, 320000000, 'price_rule', '2026-11-21',
    NULL, NULL, NULL, NULL, NULL,
    '2026-11-21T10:00:01.000000+00:00', '2026-11-21T10:00:02.000000+00:00', NULL, NULL, NULL);
INSERT INTO events (attempt_id, at, state, cause, owner_id) VALUES
    ('stored-1', '2026-11-21T10:02:05.000000+00:00', 'stored', 'the clip is in the store', 'owner');
INSERT INTO charges (attempt_id, run_id, service, account, request_id, at, nano_units,
    cost_nano_usd, currency, source, cause) VALUES
    ('stored-1', 'run', 'fal', 'default', 'r1', '2026-11-21T10:02:00.000000+00:00', 4000000000,
    320000000, 'USD', 'estimate', 'clip delivered'),
    ('stored-1', 'run', 'fal', 'default', 'r1', '2026-11-22T10:00:00.000000+00:00', 0,
    -32000000, 'USD', 'billing_feed', 'correction: billing feed');

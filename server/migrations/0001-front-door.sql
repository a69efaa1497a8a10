-- The front door: a ticket, what was said on it, the promise to carry it, and who did what.
--
-- Every row that belongs to a brand leads with brand_id, so that the tables can be distributed by it.
-- Identifiers are UUIDv7, made by the process that accepts; no sequence stands on the way in.

-- Which installation this is. The blobs' folder bears the same id, so that a database that knows nothing of its
-- blobs does not sweep them.
CREATE TABLE installation (
  id       uuid    PRIMARY KEY DEFAULT gen_random_uuid(),
  only_one boolean NOT NULL DEFAULT true UNIQUE CHECK (only_one)
);
INSERT INTO installation DEFAULT VALUES;

CREATE TABLE tickets (
  brand_id        text        NOT NULL,
  id              uuid        NOT NULL,
  issuer          text        NOT NULL,
  person_id       text        NOT NULL,
  requester_email text        NOT NULL,
  requester_name  text,
  subject         text        NOT NULL,
  status          text        NOT NULL DEFAULT 'open'
                  CHECK (status IN ('open', 'pending', 'solved', 'closed')),
  created_at      timestamptz NOT NULL DEFAULT now(),
  updated_at      timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (brand_id, id)
);

CREATE TABLE messages (
  brand_id   text        NOT NULL,
  id         uuid        NOT NULL,
  ticket_id  uuid        NOT NULL,
  author     text        NOT NULL CHECK (author IN ('customer', 'agent', 'note')),
  body       text        NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (brand_id, id),
  FOREIGN KEY (brand_id, ticket_id) REFERENCES tickets (brand_id, id)
);
-- A ticket is read with its messages in their order: UUIDv7 sorts by time.
CREATE INDEX messages_of_ticket ON messages (brand_id, ticket_id, id);

-- The bytes lie in files named by their SHA-256; the same bytes are stored once, whoever sent them.
CREATE TABLE blobs (
  sha256     bytea       PRIMARY KEY CHECK (octet_length(sha256) = 32),
  size       bigint      NOT NULL CHECK (size >= 0),
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE attachments (
  brand_id      text  NOT NULL,
  id            uuid  NOT NULL,
  message_id    uuid  NOT NULL,
  filename      text  NOT NULL,
  declared_type text,
  detected_type text,
  sha256        bytea NOT NULL REFERENCES blobs (sha256),
  PRIMARY KEY (brand_id, id),
  FOREIGN KEY (brand_id, message_id) REFERENCES messages (brand_id, id)
);
CREATE INDEX attachments_of_message ON attachments (brand_id, message_id, id);
-- The sweep asks of a blob whether anything refers to it.
CREATE INDEX attachments_of_blob ON attachments (sha256);

-- A delivery is the promise to carry one message to one place, and it is the job: there is no other queue.
--
-- due_at says from when a worker may claim it: for a pending one the end of its back-off, for a leased one
-- the end of its lease. So one index and one comparison find what is due and what a dead process left behind.
-- Every claim counts an attempt; locked_by and attempts together fence off a holder that lost its lease.
CREATE TABLE deliveries (
  brand_id        text        NOT NULL,
  id              uuid        NOT NULL,
  message_id      uuid        NOT NULL,
  connector       text        NOT NULL,
  -- The RFC 5322 Message-ID, made before the first attempt and the same on every one.
  mail_message_id text,
  state           text        NOT NULL
                  CHECK (state IN ('pending', 'leased', 'delivered', 'rejected', 'dead')),
  attempts        integer     NOT NULL DEFAULT 0 CHECK (attempts >= 0),
  -- The attempts that there were when an operator had it tried again: the back-off counts from there.
  retried_after   integer     NOT NULL DEFAULT 0 CHECK (retried_after BETWEEN 0 AND attempts),
  due_at          timestamptz NOT NULL DEFAULT now(),
  -- After this the next failure is the last.
  give_up_at      timestamptz NOT NULL DEFAULT now() + interval '3 days',
  locked_by       text,
  created_at      timestamptz NOT NULL DEFAULT now(),
  finished_at     timestamptz,
  PRIMARY KEY (brand_id, id),
  FOREIGN KEY (brand_id, message_id) REFERENCES messages (brand_id, id),
  CHECK ((state = 'leased') = (locked_by IS NOT NULL)),
  CHECK ((state IN ('delivered', 'rejected', 'dead')) = (finished_at IS NOT NULL))
);
CREATE INDEX deliveries_of_message ON deliveries (brand_id, message_id);
CREATE INDEX deliveries_due ON deliveries (brand_id, due_at) WHERE state IN ('pending', 'leased');
CREATE INDEX deliveries_failed ON deliveries (brand_id, state, created_at) WHERE state IN ('rejected', 'dead');

-- One try of a delivery: ids and codes only, so that a person can be erased without touching it.
CREATE TABLE attempts (
  brand_id    text        NOT NULL,
  delivery_id uuid        NOT NULL,
  number      integer     NOT NULL CHECK (number > 0),
  outcome     text        NOT NULL CHECK (outcome IN ('delivered', 'retry', 'permanent', 'uncertain')),
  code        text        NOT NULL CHECK (octet_length(code) <= 100),
  locked_by   text        NOT NULL,
  -- NULL where the process died and nobody saw the end.
  duration_ms integer     CHECK (duration_ms >= 0),
  ended_at    timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (brand_id, delivery_id, number),
  FOREIGN KEY (brand_id, delivery_id) REFERENCES deliveries (brand_id, id)
);

-- What the desk said on an attempt. It may quote the message, so it stands apart, bounded and erasable.
CREATE TABLE attempt_answers (
  brand_id    text    NOT NULL,
  delivery_id uuid    NOT NULL,
  number      integer NOT NULL,
  answer      text    NOT NULL CHECK (char_length(answer) <= 2000),
  PRIMARY KEY (brand_id, delivery_id, number),
  FOREIGN KEY (brand_id, delivery_id, number) REFERENCES attempts (brand_id, delivery_id, number)
);

-- The key's digest takes in issuer, person, brand and key, none of which has a length that an index can bear.
CREATE TABLE idempotency_keys (
  brand_id     text        NOT NULL,
  digest       bytea       NOT NULL CHECK (octet_length(digest) = 32),
  request_hash bytea       NOT NULL CHECK (octet_length(request_hash) = 32),
  message_id   uuid        NOT NULL,
  expires_at   timestamptz NOT NULL,
  PRIMARY KEY (brand_id, digest),
  FOREIGN KEY (brand_id, message_id) REFERENCES messages (brand_id, id)
);
CREATE INDEX idempotency_keys_expired ON idempotency_keys (expires_at);

-- Who did what to what, when. The person is known by the ticket; here stand only ids and codes, and no foreign
-- key, so that an entry outlives what it speaks of.
CREATE TABLE audit_entries (
  brand_id    text        NOT NULL,
  id          uuid        NOT NULL,
  at          timestamptz NOT NULL DEFAULT now(),
  actor       text        NOT NULL CHECK (actor IN ('person', 'client', 'operator', 'system')),
  -- The client_id or the operator's user name; a person is not named here.
  actor_id    text,
  action      text        NOT NULL CHECK (octet_length(action) <= 100),
  ticket_id   uuid        NOT NULL,
  message_id  uuid,
  delivery_id uuid,
  PRIMARY KEY (brand_id, id)
);
CREATE INDEX audit_entries_of_ticket ON audit_entries (brand_id, ticket_id, id);

-- Attempts and audit entries are only ever added, whoever asks.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% rows are only ever added', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER attempts_only_grow BEFORE UPDATE OR DELETE OR TRUNCATE ON attempts
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_entries_only_grow BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entries
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

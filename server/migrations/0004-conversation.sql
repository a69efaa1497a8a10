-- The conversation: what is said after the first message, by whom, and by which way it came.
--
-- Constraints on the tables that are in use are added without a look at their rows; 0005 looks, while others write.

-- A ticket that came by mail has no person until one claims it.
-- All locks first, so that nobody waits for one of them while work is done under another.
LOCK TABLE tickets, messages, deliveries, audit_entries IN ACCESS EXCLUSIVE MODE;
LOCK TABLE blobs IN SHARE ROW EXCLUSIVE MODE;

ALTER TABLE tickets
  ALTER COLUMN issuer DROP NOT NULL,
  ALTER COLUMN person_id DROP NOT NULL,
  ADD COLUMN via text NOT NULL DEFAULT 'api',
  -- Whether the address is known to be the requester's: the token said so, a trusted client gave it, or their mail passed.
  ADD COLUMN address_proven boolean NOT NULL DEFAULT false,
  ADD COLUMN solved_at timestamptz,
  ADD CONSTRAINT tickets_via CHECK (via IN ('api', 'mail')) NOT VALID,
  ADD CONSTRAINT tickets_person CHECK ((issuer IS NULL) = (person_id IS NULL) AND (person_id IS NOT NULL OR via = 'mail'))
    NOT VALID;

ALTER TABLE messages
  -- An agent's, a participant's or a sender's; the requester's own stands on the ticket.
  ADD COLUMN author_name text,
  -- Whose mail it was. Never shown to a customer.
  ADD COLUMN author_address text,
  ADD COLUMN via text NOT NULL DEFAULT 'api',
  -- A machine wrote it. It moves nothing and reaches no customer.
  ADD COLUMN automatic boolean NOT NULL DEFAULT false,
  -- Why it waits for an operator; it reaches no customer until then.
  ADD COLUMN held_for text,
  -- Of a mail: all of its text, where `body` is the newest part, and its HTML made safe.
  ADD COLUMN whole_text text,
  ADD COLUMN html text,
  ADD COLUMN inbound_mail_id uuid,
  DROP CONSTRAINT messages_author_check,
  ADD CONSTRAINT messages_author_check CHECK (author IN ('customer', 'agent', 'participant', 'system', 'note')) NOT VALID,
  ADD CONSTRAINT messages_via CHECK (via IN ('api', 'desk', 'mail', 'command')) NOT VALID;

ALTER TABLE deliveries
  -- To the people who answer, or to the customer.
  ADD COLUMN side text NOT NULL DEFAULT 'desk',
  ADD COLUMN kind text NOT NULL DEFAULT 'message',
  -- The address; NULL: the desk as the brands file has it.
  ADD COLUMN recipient text,
  -- What a status delivery tells.
  ADD COLUMN status text,
  -- The mail was taken, and came back.
  ADD COLUMN bounced_at timestamptz,
  ADD COLUMN bounce_code text,
  ADD CONSTRAINT deliveries_side CHECK (side IN ('desk', 'customer')) NOT VALID,
  ADD CONSTRAINT deliveries_kind CHECK (kind IN ('message', 'acknowledgement', 'notice', 'status', 'returned')) NOT VALID,
  -- A worker of an older version knows of no sides, and would carry to the desk what is for the customer: it is stopped.
  ADD CONSTRAINT deliveries_outlet CHECK (side = 'desk' OR connector = 'mail') NOT VALID,
  ADD CONSTRAINT deliveries_recipient CHECK (side = 'desk' OR recipient IS NOT NULL) NOT VALID,
  ADD CONSTRAINT deliveries_status CHECK ((kind = 'status') = (status IS NOT NULL)) NOT VALID;

-- The change log: entries are read in the order (xid, id), below the oldest transaction that is still open.
ALTER TABLE audit_entries
  ALTER COLUMN ticket_id DROP NOT NULL,
  ADD COLUMN xid xid8,
  -- What a ticket's status became.
  ADD COLUMN status text,
  ADD COLUMN inbound_mail_id uuid,
  DROP CONSTRAINT audit_entries_actor_check,
  ADD CONSTRAINT audit_entries_actor_check
    CHECK (actor IN ('person', 'client', 'desk', 'sender', 'operator', 'system')) NOT VALID;
-- Rows that are there have none: a default with ADD COLUMN would write the whole table anew.
ALTER TABLE audit_entries ALTER COLUMN xid SET DEFAULT pg_current_xact_id();

-- People who speak on a ticket beside its requester, each under their own address.
CREATE TABLE participants (
  brand_id  text        NOT NULL,
  ticket_id uuid        NOT NULL,
  address   text        NOT NULL,
  name      text,
  added_at  timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (brand_id, ticket_id, address),
  FOREIGN KEY (brand_id, ticket_id) REFERENCES tickets (brand_id, id)
);

-- Addresses that refused mail for good: nothing more goes there until an operator clears or corrects it.
CREATE TABLE bounced_addresses (
  brand_id    text        NOT NULL,
  address     text        NOT NULL,
  code        text        NOT NULL,
  delivery_id uuid,
  bounced_at  timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (brand_id, address)
);

-- A mail that came, from the moment its bytes are safe. It is the job of settling it, too.
--
-- due_at is read as in deliveries: the end of a back-off, or of the lease of whoever settles it.
CREATE TABLE inbound_mails (
  brand_id        text        NOT NULL,
  id              uuid        NOT NULL,
  way             text        NOT NULL CHECK (way IN ('imap', 'http', 'command')),
  received_at     timestamptz NOT NULL DEFAULT now(),
  -- The raw bytes; NULL once they were swept.
  sha256          bytea       REFERENCES blobs (sha256),
  -- Of the mail as it came, in bytes.
  size            bigint      NOT NULL CHECK (size >= 0),
  -- It was too large, and only its head was kept.
  head_only       boolean     NOT NULL DEFAULT false,
  -- Of the signed request that brought it, which is used once.
  request_digest  bytea       CHECK (octet_length(request_digest) = 32),
  state           text        NOT NULL DEFAULT 'received' CHECK (state IN ('received', 'settled')),
  attempts        integer     NOT NULL DEFAULT 0 CHECK (attempts >= 0),
  due_at          timestamptz NOT NULL DEFAULT now(),
  locked_by       text,
  -- How often a process died of it, or could not settle it and nothing else was wrong.
  failures        integer     NOT NULL DEFAULT 0 CHECK (failures >= 0),
  settled_as      text        CHECK (settled_as IN
                  ('duplicate', 'bounce', 'automatic', 'reply', 'new_ticket', 'quarantined')),
  -- A stable code: why it lies in quarantine, or which rule it met.
  reason          text        CHECK (octet_length(reason) <= 100),
  settled_at      timestamptz,
  mail_message_id text,
  author_address  text,
  authenticated   boolean,
  -- SHA-256 over Message-ID, authenticated author and body.
  fingerprint     bytea       CHECK (octet_length(fingerprint) = 32),
  -- Where it was said; of a quarantined one, the ticket that it points to, by nobody's proven word.
  ticket_id       uuid,
  message_id      uuid,
  -- The delivery that a bounce is of.
  delivery_id     uuid,
  -- What an operator did about a quarantined one.
  resolution      text        CHECK (resolution IN ('released', 'discarded')),
  resolved_at     timestamptz,
  PRIMARY KEY (brand_id, id),
  CHECK ((state = 'settled') = (settled_as IS NOT NULL)),
  CHECK ((state = 'settled') = (settled_at IS NOT NULL)),
  CHECK (state = 'received' OR locked_by IS NULL),
  CHECK ((resolution IS NOT NULL) = (resolved_at IS NOT NULL)),
  CHECK (resolution IS NULL OR settled_as = 'quarantined')
);
CREATE UNIQUE INDEX inbound_mails_request ON inbound_mails (brand_id, request_digest) WHERE request_digest IS NOT NULL;
CREATE INDEX inbound_mails_due ON inbound_mails (brand_id, due_at) WHERE state = 'received';
-- A mailbox that was reset is read again, and what is there already is known by its bytes.
CREATE INDEX inbound_mails_of_blob ON inbound_mails (sha256);
-- A quarantined mail shadows nothing.
CREATE UNIQUE INDEX inbound_mails_once ON inbound_mails (brand_id, fingerprint)
  WHERE settled_as IN ('automatic', 'reply', 'new_ticket', 'bounce');
CREATE INDEX inbound_mails_quarantined ON inbound_mails (brand_id, received_at)
  WHERE settled_as = 'quarantined' AND resolution IS NULL;
CREATE INDEX inbound_mails_pointing ON inbound_mails (brand_id, ticket_id)
  WHERE settled_as = 'quarantined' AND ticket_id IS NOT NULL;
CREATE INDEX inbound_mails_settled ON inbound_mails (settled_at) WHERE sha256 IS NOT NULL;
-- Somebody who answers a mail of their own names it. What is kept of a Message-ID fits into an index.
CREATE INDEX inbound_mails_named ON inbound_mails (brand_id, mail_message_id) WHERE message_id IS NOT NULL;

-- How far each brand's mailbox was read: by UID, which means something within one UIDVALIDITY (RFC 3501, 2.3.1.1).
--
-- The row is also the lease of the one process that reads the mailbox.
CREATE TABLE imap_cursors (
  brand_id     text        NOT NULL,
  -- Its URL (RFC 5092), so that another account begins anew.
  mailbox      text        NOT NULL,
  -- 0: it was never looked at.
  uid_validity bigint      NOT NULL DEFAULT 0,
  last_uid     bigint      NOT NULL DEFAULT 0,
  -- When a mailbox was new to us, or its reset was noticed. It is read from its beginning then, and what we have since
  -- before that moment, to the byte, is not kept again.
  known_since  timestamptz NOT NULL DEFAULT now(),
  locked_by    text,
  lease_until  timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (brand_id, mailbox)
);

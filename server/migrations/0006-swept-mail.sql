-- Of a mail whose bytes were swept, the SHA-256 that they had: a mailbox that is reset later is read from its beginning,
-- and what was here is known by it.
ALTER TABLE inbound_mails ADD COLUMN swept_sha256 bytea;
CREATE INDEX inbound_mails_swept ON inbound_mails (swept_sha256) WHERE swept_sha256 IS NOT NULL;

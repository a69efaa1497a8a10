-- Outside a transaction, so that nobody who writes waits while rows are looked at and indexes are made.
-- What is dropped first is what an index left that was broken off.
ALTER TABLE tickets VALIDATE CONSTRAINT tickets_via;
ALTER TABLE tickets VALIDATE CONSTRAINT tickets_person;
ALTER TABLE messages VALIDATE CONSTRAINT messages_author_check;
ALTER TABLE messages VALIDATE CONSTRAINT messages_via;
ALTER TABLE deliveries VALIDATE CONSTRAINT deliveries_side;
ALTER TABLE deliveries VALIDATE CONSTRAINT deliveries_kind;
ALTER TABLE deliveries VALIDATE CONSTRAINT deliveries_outlet;
ALTER TABLE deliveries VALIDATE CONSTRAINT deliveries_recipient;
ALTER TABLE deliveries VALIDATE CONSTRAINT deliveries_status;
ALTER TABLE audit_entries VALIDATE CONSTRAINT audit_entries_actor_check;
-- A person's tickets, those that moved last first. A person's id has no length that an index can bear.
DROP INDEX CONCURRENTLY IF EXISTS tickets_of_person;
CREATE INDEX CONCURRENTLY tickets_of_person
  ON tickets (brand_id, hashtextextended(person_id, 0), updated_at DESC, id DESC) WHERE person_id IS NOT NULL;
DROP INDEX CONCURRENTLY IF EXISTS tickets_unclaimed;
CREATE INDEX CONCURRENTLY tickets_unclaimed ON tickets (brand_id, requester_email) WHERE person_id IS NULL;
DROP INDEX CONCURRENTLY IF EXISTS tickets_solved;
CREATE INDEX CONCURRENTLY tickets_solved ON tickets (solved_at) WHERE status = 'solved';
-- One side's backlog hides nothing of the other's.
DROP INDEX CONCURRENTLY IF EXISTS deliveries_due_of_side;
CREATE INDEX CONCURRENTLY deliveries_due_of_side ON deliveries (brand_id, side, due_at) WHERE state IN ('pending', 'leased');
DROP INDEX CONCURRENTLY IF EXISTS deliveries_due;
-- What failed is counted by side from the index alone.
DROP INDEX CONCURRENTLY IF EXISTS deliveries_failed_of_side;
CREATE INDEX CONCURRENTLY deliveries_failed_of_side ON deliveries (brand_id, state, side, created_at)
  WHERE state IN ('rejected', 'dead');
DROP INDEX CONCURRENTLY IF EXISTS deliveries_failed;
DROP INDEX CONCURRENTLY IF EXISTS deliveries_acknowledged;
-- In whatever case it is written an address has one bound, or a stranger's mailbox could be filled by changing it.
CREATE INDEX CONCURRENTLY deliveries_acknowledged ON deliveries (brand_id, lower(recipient), created_at)
  WHERE kind = 'acknowledgement';
DROP INDEX CONCURRENTLY IF EXISTS audit_entries_in_order;
CREATE INDEX CONCURRENTLY audit_entries_in_order ON audit_entries (xid, id) WHERE xid IS NOT NULL;
-- What belongs to a ticket or a message, by its id alone, which is unique among all brands. The indexes before them led
-- with the brand: rows are wider now, and while a table has no statistics yet the planner took those indexes for a
-- look-up by brand and id, as each foreign key makes, through all rows of the brand.
DROP INDEX CONCURRENTLY IF EXISTS messages_in_order;
CREATE INDEX CONCURRENTLY messages_in_order ON messages (ticket_id, created_at);
DROP INDEX CONCURRENTLY IF EXISTS messages_of_ticket;
DROP INDEX CONCURRENTLY IF EXISTS deliveries_by_message;
CREATE INDEX CONCURRENTLY deliveries_by_message ON deliveries (message_id);
DROP INDEX CONCURRENTLY IF EXISTS deliveries_of_message;
DROP INDEX CONCURRENTLY IF EXISTS attachments_by_message;
CREATE INDEX CONCURRENTLY attachments_by_message ON attachments (message_id, id);
DROP INDEX CONCURRENTLY IF EXISTS attachments_of_message;

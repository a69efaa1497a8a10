-- Outside a transaction, so that nobody who writes a delivery waits while the indexes are made.
-- The operator's list, the oldest first, reads as many rows as it shows. What is dropped first is what an index left
-- that was broken off.
DROP INDEX CONCURRENTLY IF EXISTS deliveries_unfinished;
CREATE INDEX CONCURRENTLY deliveries_unfinished ON deliveries (created_at, id) WHERE state IN ('pending', 'leased');
DROP INDEX CONCURRENTLY IF EXISTS deliveries_unmended;
CREATE INDEX CONCURRENTLY deliveries_unmended ON deliveries (created_at, id) WHERE state IN ('rejected', 'dead');

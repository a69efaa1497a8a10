-- While it is set nothing is carried: no lease is given, neither to a worker nor on the way in.
ALTER TABLE installation ADD COLUMN held_since timestamptz;

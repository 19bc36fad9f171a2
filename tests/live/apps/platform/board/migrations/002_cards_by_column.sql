-- no-transaction
CREATE INDEX CONCURRENTLY cards_by_column ON cards (column_name);

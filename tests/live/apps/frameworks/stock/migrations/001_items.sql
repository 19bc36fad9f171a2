CREATE TABLE stock_items (sku text PRIMARY KEY);

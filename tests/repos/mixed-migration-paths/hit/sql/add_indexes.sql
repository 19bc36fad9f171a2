CREATE INDEX idx_users ON users (id);

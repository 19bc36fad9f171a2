CREATE TABLE columns (name text PRIMARY KEY);
CREATE TABLE cards (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, column_name text REFERENCES columns, title text);
INSERT INTO columns VALUES ('doing'), ('done');

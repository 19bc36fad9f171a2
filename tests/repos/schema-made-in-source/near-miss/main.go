package main

import "database/sql"

func prepare(db *sql.DB) error {
	_, err := db.Exec(`CREATE TABLE IF NOT EXISTS schema_migrations (id int)`)
	return err
}

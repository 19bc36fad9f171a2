package main

import "database/sql"

func prepare(db *sql.DB) error {
	_, err := db.Exec(`CREATE TABLE IF NOT EXISTS settlements (id int)`)
	return err
}

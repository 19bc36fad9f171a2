package main

import _ "modernc.org/sqlite"

func prepare(db *sql.DB) error {
	_, err := db.Exec(`CREATE TABLE IF NOT EXISTS pages (id int)`)
	return err
}

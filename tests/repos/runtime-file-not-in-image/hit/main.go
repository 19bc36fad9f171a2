package main

import (
	"net/http"

	"github.com/golang-migrate/migrate/v4"
)

func main() {
	m, _ := migrate.New("file://db/migrations", "postgres://db/app")
	_ = m.Up()
	_ = http.ListenAndServe(":8080", nil)
}

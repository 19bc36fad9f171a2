package main

import (
	"net/http"
	"os"
)

const jwtSecretKey = "JWT_SECRET"
const secretKey = "app.jwt.secret"

var jwtKey = []byte(os.Getenv("JWT_SECRET"))

func main() {
	_ = http.ListenAndServe(":8080", nil)
}

package main

import "net/http"

var jwtKey = []byte("super-secret-key-change-me")

func main() {
	_ = http.ListenAndServe(":8080", nil)
}

{% from 'template/lib/text.jinja' import marker %}
{{ marker('//') }}

//go:build ignore

// healthcheck URL succeeds if the URL answers 2xx. The image has neither a shell nor any other program to ask with.
package main

import (
	"net/http"
	"os"
	"time"
)

func main() {
	client := http.Client{Timeout: 4 * time.Second}
	answer, err := client.Get(os.Args[1])
	if err != nil || answer.StatusCode < 200 || answer.StatusCode > 299 {
		os.Exit(1)
	}
}

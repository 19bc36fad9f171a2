#!/bin/sh
psql "$DATABASE_URL" -f sql/seed.sql
psql -c 'SELECT 1'

#!/bin/sh
psql "$DATABASE_URL" -f sql/add_indexes.sql

#!/usr/bin/env bash
# Applies the performance indexes to the database in DATABASE_URL.
set -euo pipefail

SQL_FILE="$(dirname "$0")/migrations/20250102000000_add_performance_indexes.sql"

psql "$DATABASE_URL" -v ON_ERROR_STOP=1 -f "$SQL_FILE"
echo "indexes applied"

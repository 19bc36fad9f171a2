#!/bin/sh
kubectl exec deploy/api -- python scripts/init_db.py

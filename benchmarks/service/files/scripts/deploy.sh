#!/bin/sh
set -eu
kubectl apply -k k8s/overlays/production
kubectl rollout status deployment/@name@ --timeout=5m

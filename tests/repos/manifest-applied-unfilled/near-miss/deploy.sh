#!/bin/sh
envsubst < k8s/config.yaml | kubectl apply -f -
kubectl apply -f k8s/api.yaml

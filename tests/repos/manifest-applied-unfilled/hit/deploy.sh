#!/bin/sh
kubectl apply -f k8s/config.yaml
kubectl apply -f k8s/api.yaml

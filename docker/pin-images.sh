#!/bin/sh
# Writes the images of others into .env as name@sha256:…, the digests that the registry has for them now. Run it next to
# .env, where the registry is reached. A variable that has a digest already stays: remove it from .env to renew it.
set -eu

pin() {
    written=$(sed -n "s|^$1=||p" .env)
    case $written in
        *@sha256:*) return ;;
    esac
    image=${written:-$2}
    digest=$(docker buildx imagetools inspect --format '{{.Manifest.Digest}}' "$image")
    if ! printf %s "$digest" | grep -Eqx 'sha256:[0-9a-f]{64}'; then
        echo "$1: expected sha256: and 64 digits of $image from docker buildx imagetools inspect, got: $digest" >&2
        exit 1
    fi
    sed -i "/^$1=/d" .env
    echo "$1=$image@$digest" >> .env
    echo "$1=$image@$digest"
}

pin ZHENGKU_POSTGRES_IMAGE postgres:18.1-bookworm
pin ZHENGKU_REDIS_IMAGE redis:7.4-bookworm
pin ZHENGKU_PYTHON_IMAGE python:3.12-slim-bookworm
if grep -Eq '^COMPOSE_PROFILES=(.*,)?metrics(,|$)' .env; then
    pin ZHENGKU_COLLECTOR_IMAGE otel/opentelemetry-collector-contrib:0.165.0
    pin ZHENGKU_PROMETHEUS_IMAGE prom/prometheus:v3.8.0
    pin ZHENGKU_GRAFANA_IMAGE grafana/grafana-oss:12.3.0
fi

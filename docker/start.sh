#!/bin/sh
# Starts the services of docker-compose.yml, if .env names every image of others by its digest. Run it next to .env.
set -eu
status=0
names='ZHENGKU_POSTGRES_IMAGE ZHENGKU_REDIS_IMAGE ZHENGKU_PYTHON_IMAGE'
if grep -Eq '^COMPOSE_PROFILES=(.*,)?metrics(,|$)' .env; then
    names="$names ZHENGKU_COLLECTOR_IMAGE ZHENGKU_PROMETHEUS_IMAGE ZHENGKU_GRAFANA_IMAGE"
fi
for name in $names; do
    image=$(sed -n "s|^$name=||p" .env)
    if ! printf %s "$image" | grep -Eqx '[^@]+@sha256:[0-9a-f]{64}'; then
        echo "$name: expected name@sha256:… in .env, got '$image': what it means may change. Run docker/pin-images.sh." >&2
        status=1
    fi
done
[ "$status" -eq 0 ] || exit "$status"
exec docker compose up --detach --wait "$@"

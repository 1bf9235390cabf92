#!/bin/sh
# Makes the files of secrets that docker-compose.yml names, and tells .env the group that may read them. Run it next to
# docker-compose.yml; it may be repeated, and never replaces a file.
#
# The folder is open to this account alone (0700). The files are 0640: Compose puts each into the containers that name
# it with the owner and the mode that it has here, and their accounts (1000 of our image, 999 of PostgreSQL and Redis)
# read it as members of its group. So the group must have no other member. (Grafana's account is 472.)
set -eu
umask 077
folder=${ZHENGKU_SECRETS_DIR:-secrets}
group=${ZHENGKU_SECRETS_GID:-$(id -g)}
mkdir -p "$folder"
chmod 0700 "$folder"

make() {
    if [ ! -s "$folder/$1" ]; then
        printf %s "$2" > "$folder/$1.part"
        mv "$folder/$1.part" "$folder/$1"
        echo "made $folder/$1"
    fi
    chgrp "$group" "$folder/$1"
    chmod 0640 "$folder/$1"
}

# Passwords stand in addresses: letters and digits only.
for name in airflow_database_password airflow_jwt_secret airflow_session_secret backup_passphrase \
    grafana_admin_password postgres_password redis_password simulator_database_password zhengku_owner_password \
    zhengku_pipeline_password zhengku_pages_password zhengku_notices_password zhengku_reports_password; do
    make "$name" "$(openssl rand -hex 32)"
done
make airflow_fernet_key "$(openssl rand -base64 32 | tr '+/' '-_')"

if [ ! -e .env ]; then
    cp .env.example .env
fi
sed -i "s|^ZHENGKU_SECRETS_GID=.*|ZHENGKU_SECRETS_GID=$group|" .env
grep -q '^ZHENGKU_SECRETS_GID=' .env || echo "ZHENGKU_SECRETS_GID=$group" >> .env

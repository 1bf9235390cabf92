#!/bin/sh
# Makes the two databases and their accounts. The image of PostgreSQL runs it once, when its volume is empty.
set -eu
psql --username postgres --set ON_ERROR_STOP=1 <<'SQL'
\set airflow_password `cat /run/secrets/airflow_database_password`
\set zhengku_password `cat /run/secrets/zhengku_database_password`
create role airflow login password :'airflow_password';
create role zhengku login password :'zhengku_password';
create database airflow owner airflow encoding 'UTF8' template template0;
create database zhengku owner zhengku encoding 'UTF8' template template0;
SQL

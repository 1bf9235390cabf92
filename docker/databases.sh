#!/bin/sh
# Makes the two databases and their accounts. The image of PostgreSQL runs it once, when its volume is empty.
set -eu
psql --username postgres --set ON_ERROR_STOP=1 <<'SQL'
\set airflow_password `cat /run/secrets/airflow_database_password`
\set owner_password `cat /run/secrets/zhengku_owner_password`
\set pipeline_password `cat /run/secrets/zhengku_pipeline_password`
\set pages_password `cat /run/secrets/zhengku_pages_password`
\set notices_password `cat /run/secrets/zhengku_notices_password`
\set reports_password `cat /run/secrets/zhengku_reports_password`
create role airflow login password :'airflow_password';
-- The owner of the store's schema, and the accounts whose rights `zhengku db upgrade` gives.
create role zhengku login password :'owner_password';
create role zhengku_pipeline login password :'pipeline_password';
create role zhengku_pages login password :'pages_password';
create role zhengku_notices login password :'notices_password';
create role zhengku_reports login password :'reports_password';
grant zhengku_pipeline, zhengku_pages, zhengku_notices, zhengku_reports to zhengku;
create database airflow owner airflow encoding 'UTF8' template template0;
create database zhengku owner zhengku encoding 'UTF8' template template0;
SQL

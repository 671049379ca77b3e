#!/bin/sh
# Runs once, on an empty data folder: a database for each service, with a role that owns and
# migrates it and a role with which the daemon works.
set -eu

create_database() {
  export DATABASE="$1" OWNER_PASSWORD="$2" APP_PASSWORD="$3"
  psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname=postgres <<'SQL'
\getenv database DATABASE
\getenv owner_password OWNER_PASSWORD
\getenv app_password APP_PASSWORD
\set owner :database _owner
\set app :database _app
CREATE ROLE :"owner" LOGIN PASSWORD :'owner_password';
CREATE ROLE :"app" LOGIN PASSWORD :'app_password';
CREATE DATABASE :"database" OWNER :"owner" TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C';
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"database" TO :"owner", :"app";
\connect :"database"
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
SQL
}

create_database auth "$AUTH_OWNER_PASSWORD" "$AUTH_APP_PASSWORD"
create_database wallet "$WALLET_OWNER_PASSWORD" "$WALLET_APP_PASSWORD"
create_database statement "$STATEMENT_OWNER_PASSWORD" "$STATEMENT_APP_PASSWORD"

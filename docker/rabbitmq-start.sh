#!/bin/sh
# Writes users and rights as definitions, which the broker reads at every start, and starts it: a
# changed password takes effect with a restart.
set -eu

definitions=${DEFINITIONS_FILE:-/run/digital-wallet/definitions.json}

for name in RABBITMQ_WALLETD_PASSWORD RABBITMQ_PRODUCER_PASSWORD RABBITMQ_ADMIN_PASSWORD; do
  eval "value=\${$name:?is missing}"
  case $value in
    *[!A-Za-z0-9_-]*) echo "$name: only letters, digits, _ and - are allowed" >&2 && exit 1 ;;
  esac
done

(
  umask 077
  mkdir -p "$(dirname "$definitions")"
  cat >"$definitions" <<JSON
{
  "vhosts": [{ "name": "wallet" }],
  "users": [
    { "name": "walletd", "password": "$RABBITMQ_WALLETD_PASSWORD", "tags": [] },
    { "name": "producer", "password": "$RABBITMQ_PRODUCER_PASSWORD", "tags": [] },
    { "name": "admin", "password": "$RABBITMQ_ADMIN_PASSWORD", "tags": ["administrator"] }
  ],
  "permissions": [
    { "vhost": "wallet", "user": "walletd", "configure": ".*", "write": ".*", "read": ".*" },
    {
      "vhost": "wallet",
      "user": "producer",
      "configure": "^$",
      "write": "^wallet\\\\.commands$",
      "read": "^$"
    },
    { "vhost": "wallet", "user": "admin", "configure": ".*", "write": ".*", "read": ".*" }
  ]
}
JSON
)
if [ "$(id -u)" = 0 ] && id rabbitmq >/dev/null 2>&1; then
  chown -R rabbitmq "$(dirname "$definitions")"
fi
exec "$@"

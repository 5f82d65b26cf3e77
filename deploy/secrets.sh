#!/bin/sh
# Make the passwords of the stack that are not there yet: sh deploy/secrets.sh
#
# Containers see these files under their own users, so anybody may read the files; but nobody
# else on this machine gets into the folder.
set -eu
umask 022
cd "$(dirname "$0")"
mkdir -p secrets/keys
chmod 700 secrets

random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

for name in database_password grafana_password keys/users keys/admins; do
    [ -s "secrets/$name" ] || random >"secrets/$name"
done

# libpq's service file: https://www.postgresql.org/docs/current/libpq-pgservice.html
cat >secrets/database <<END
[digits]
host=postgres
port=5432
dbname=digits
user=digits
password=$(cat secrets/database_password)
END

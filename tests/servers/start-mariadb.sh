#!/usr/bin/env bash
# This system's MariaDB (Debian 12: 10.11) on 127.0.0.1:PORT and DIR/sock, as root or any user: row
# binlog, full row metadata, GTIDs.
# Users: root on DIR/sock; test/test (all rights); repl/repl (replication rights).
# Further arguments are server options, such as --log-bin-compress=ON or --binlog-row-image=MINIMAL.
set -euo pipefail
# shellcheck source=tests/servers/common.sh
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/common.sh"
PATH=$PATH:/usr/sbin:/sbin
args "$@"
need mariadbd mariadb-server-core mariadb-client-core
need mariadb-binlog mariadb-client
installed

INIT=()
if [ ! -d "$DIR/data/mysql" ]; then
	TMPDIR=$DIR/tmp mariadb-install-db --no-defaults --datadir="$DIR/data" --skip-test-db \
		--skip-name-resolve --auth-root-authentication-method=normal --user="$(id -un)" \
		>"$DIR/install.log" 2>&1 || {
		head -n 12 "$DIR/install.log" >&2 # the rest is always the same
		die "cannot make the data folder"
	}
	cat >"$DIR/init.sql" <<-'SQL'
		create user if not exists test@'%' identified by 'test',
			repl@'%' identified by 'repl';
		grant all on *.* to test@'%' with grant option;
		grant select, reload, replication slave, replication client on *.* to repl@'%';
		create database if not exists test;
		reset master;
	SQL
	INIT=(--init-file="$DIR/init.sql")
fi
server mariadbd --no-defaults --datadir="$DIR/data" --user="$(id -un)" --socket="$DIR/sock" \
	--port="$PORT" --bind-address=127.0.0.1 --pid-file="$DIR/mariadb.pid" --skip-name-resolve \
	--log-bin="$DIR/data/binlog" --binlog-format=ROW --binlog-row-image=FULL \
	--binlog-row-metadata=FULL --server-id=1 --gtid-strict-mode=1 \
	--innodb-buffer-pool-size=256M "${INIT[@]}" "${EXTRA[@]}"
ready 60 mariadb --no-defaults -utest -ptest -S "$DIR/sock" -e 'select 1'

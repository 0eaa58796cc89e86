#!/usr/bin/env bash
# The newest MariaDB that Debian packages (11.8 when written; suite sid), unpacked into the cache
# and run with its own loader; this machine's packages are untouched. Otherwise as start-mariadb.sh.
# DIR/bin: its own mariadb, mariadb-binlog, mariadb-dump, mariadb-admin.
set -euo pipefail
# shellcheck source=tests/servers/common.sh
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/common.sh"
# shellcheck source=tests/servers/packages.sh
. "$HERE/packages.sh"
args "$@"

install_mariadb11() {
	local dir=$1 share=$1/root/usr/share/mariadb name
	debian_unpack "$dir" "${MILLSTREAM_MARIADB_SUITE:-sid}" \
		"mariadb-server-core mariadb-client-core mariadb-server" \
		"sbin/mariadbd bin/mariadb bin/mariadb-binlog bin/mariadb-dump bin/mariadb-admin"
	{
		printf 'create database mysql;\nuse mysql;\n'
		for name in mariadb_system_tables mariadb_performance_tables \
			mariadb_system_tables_data fill_help_tables maria_add_gis_sp_bootstrap \
			mariadb_sys_schema; do
			cat "$share/$name.sql"
		done
	} >"$dir/bootstrap.sql"
	mkdir -p "$dir/template"
	"$dir/bin/mariadbd" --no-defaults --user="$(id -un)" --basedir="$dir/root/usr" \
		--lc-messages-dir="$share" --datadir="$dir/template" --bootstrap \
		--innodb-log-file-size=10M <"$dir/bootstrap.sql"
}
once mariadb11 install_mariadb11
installed

SHARE=$HOME_DIR/root/usr/share/mariadb
INIT=()
if [ ! -d "$DIR/data" ]; then
	cp -a --reflink=auto --sparse=always "$HOME_DIR/template" "$DIR/data"
	cat >"$DIR/init.sql" <<-'SQL'
		create user if not exists root@localhost, test@'%' identified by 'test',
			repl@'%' identified by 'repl';
		grant all on *.* to root@localhost with grant option;
		grant all on *.* to test@'%' with grant option;
		grant select, reload, replication slave, replication client on *.* to repl@'%';
		create database if not exists test;
		reset master;
	SQL
	INIT=(--init-file="$DIR/init.sql")
fi
server "$HOME_DIR/bin/mariadbd" --no-defaults --user="$(id -un)" --basedir="$HOME_DIR/root/usr" \
	--lc-messages-dir="$SHARE" --character-sets-dir="$SHARE/charsets" \
	--plugin-dir="$HOME_DIR/root/usr/lib/mysql/plugin" --datadir="$DIR/data" \
	--socket="$DIR/sock" --pid-file="$DIR/mariadb.pid" --port="$PORT" \
	--bind-address=127.0.0.1 --skip-name-resolve --server-id=1 --log-bin="$DIR/data/binlog" \
	--binlog-format=ROW --binlog-row-image=FULL --binlog-row-metadata=FULL \
	--gtid-strict-mode=1 --innodb-buffer-pool-size=256M "${INIT[@]}" "${EXTRA[@]}"
ready 60 "$HOME_DIR/bin/mariadb" --no-defaults -utest -ptest -S "$DIR/sock" -e 'select 1'

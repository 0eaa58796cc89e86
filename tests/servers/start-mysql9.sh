#!/usr/bin/env bash
# The newest MySQL that Debian packages (9.7 when written; suite sid) on 127.0.0.1:PORT and
# DIR/sock, without touching this machine's packages: it and the libraries that it needs are
# unpacked into the cache and run with their own loader. Row binlog, full row metadata, GTIDs.
# Users: root on DIR/sock; test/test (all rights), repl/repl (replication rights), both
# caching_sha2_password.
# DIR/bin: its own mysql, mysqldump, mysqlbinlog, mysqladmin, mysqlslap.
set -euo pipefail
# shellcheck source=tests/servers/common.sh
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/common.sh"
# shellcheck source=tests/servers/packages.sh
. "$HERE/packages.sh"
# shellcheck source=tests/servers/mysql.sh
. "$HERE/mysql.sh"
args "$@"

install_mysql9() {
	local dir=$1 usr=$1/root/usr
	debian_unpack "$dir" "${MILLSTREAM_MYSQL_SUITE:-sid}" \
		"mysql-server-core mysql-client-core" \
		"sbin/mysqld bin/mysql bin/mysqldump bin/mysqlbinlog bin/mysqladmin bin/mysqlslap"
	"$dir/bin/mysqld" --no-defaults --user="$(id -un)" --basedir="$usr" \
		--lc-messages-dir="$usr/share/mysql" --secure-file-priv= --initialize-insecure \
		--datadir="$dir/template"
	rm -f "$dir/template/auto.cnf" # the server's UUID: each copy makes its own
}
once mysql9 install_mysql9
installed

SHARE=$HOME_DIR/root/usr/share/mysql
mysql_data "$HOME_DIR/template" "RESET BINARY LOGS AND GTIDS"
mysql_server "$HOME_DIR/bin/mysqld" --no-defaults --basedir="$HOME_DIR/root/usr" \
	--lc-messages-dir="$SHARE" --character-sets-dir="$SHARE/charsets"
ready 90 "$HOME_DIR/bin/mysql" --no-defaults -utest -ptest -S "$DIR/sock" -e 'select 1'

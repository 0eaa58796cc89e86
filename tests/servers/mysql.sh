# Sourced by the scripts that start MySQL servers: users, options, data folder. Needs common.sh.
# shellcheck shell=bash

# mysql_data TEMPLATE RESET: a data folder from the template, at the first start; sets INIT.
# RESET is the statement that empties the binlogs. Users: test/test (all rights), repl/repl
# (replication rights), root on DIR/sock.
mysql_data() {
	INIT=()
	[ ! -d "$DIR/data" ] || return 0
	cp -a --reflink=auto --sparse=always "$1" "$DIR/data"
	cat >"$DIR/init.sql" <<-SQL
		CREATE USER IF NOT EXISTS test@'%' IDENTIFIED BY 'test';
		GRANT ALL ON *.* TO test@'%' WITH GRANT OPTION;
		CREATE USER IF NOT EXISTS repl@'%' IDENTIFIED BY 'repl';
		GRANT REPLICATION SLAVE, REPLICATION CLIENT, SELECT, RELOAD, SHOW DATABASES,
			LOCK TABLES ON *.* TO repl@'%';
		CREATE DATABASE IF NOT EXISTS test;
		$2;
	SQL
	INIT=(--init-file="$DIR/init.sql")
}

# mysql_server PROGRAM OPTION...: starts it with row binlogs, full row metadata and GTIDs.
mysql_server() {
	server "$@" --user="$(id -un)" --datadir="$DIR/data" --socket="$DIR/sock" \
		--pid-file="$DIR/mysqld.pid" --secure-file-priv= --bind-address=127.0.0.1 \
		--port="$PORT" --mysqlx=OFF --skip-name-resolve --server-id=1 --log-bin=binlog \
		--binlog-format=ROW --binlog-row-image=FULL --binlog-row-metadata=FULL \
		--gtid-mode=ON --enforce-gtid-consistency=ON --max-connections=200 \
		"${INIT[@]}" "${EXTRA[@]}"
}

# Whether a server sends its greeting: works without a client program. Over the socket, so that it
# is this server and no other that took the port.
greets() {
	[ "$(timeout 2 /usr/bin/python3 -c '
import socket, sys
with socket.socket(socket.AF_UNIX) as s:
    s.connect(sys.argv[1])
    print(len(s.recv(5)))' "$DIR/sock" 2>/dev/null)" = 5 ]
}

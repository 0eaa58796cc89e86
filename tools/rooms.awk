# The include law of the house: src/ROOMS says which rooms a room may include; a circle cannot be
# written down there.
#
#   awk -f tools/rooms.awk src/ROOMS src/*/*.[ch]
#
# Inside its own room a file includes what it likes, of another room only the door
# ("store/store.h"). base alone has several doors. Complaints are FILE:LINE: TEXT; the exit status
# is 1 when there is one.

FILENAME ~ /(^|\/)ROOMS$/ {
	rooms_row()
	next
}

FNR == 1 {
	parts = split(FILENAME, path, "/")
	here = path[parts - 1]
	if (!(here in line_of))
		complain("the room '" here "' has no line in src/ROOMS")
}

/^[ \t]*#[ \t]*include[ \t]*"/ {
	split($0, quoted, "\"")
	included(quoted[2])
}

END {
	exit failed
}

# A line of ROOMS: "room: room room". Only rooms above it may be named.
function rooms_row(    colon, name, i) {
	sub(/#.*/, "")
	if ($0 ~ /^[ \t]*$/)
		return
	if ($0 !~ /^[a-z][a-z0-9_]*:/) {
		complain("write \"room: rooms that it may include\"")
		return
	}
	colon = index($0, ":")
	name = substr($0, 1, colon - 1)
	$0 = substr($0, colon + 1)
	if (name in line_of)
		complain("the room '" name "' has a line already")
	for (i = 1; i <= NF; i++) {
		if (!($i in line_of))
			complain("'" name "' names '" $i "', which is not a room above it")
		may[name, $i] = 1
	}
	line_of[name] = FNR
}

function included(name,    count, part) {
	count = split(name, part, "/")
	if (count != 2 || part[1] == ".." || part[1] == ".") {
		complain("include \"room/file.h\", not \"" name "\"")
		return
	}
	if (part[1] == here)
		return
	if (!(part[1] in line_of))
		complain("\"" name "\" is in no room of src/ROOMS")
	else if (!((here, part[1]) in may))
		complain("'" here "' may not include '" part[1] "' (src/ROOMS)")
	else if (part[1] != "base" && part[2] != part[1] ".h")
		complain("\"" name "\" is inside; the door is \"" part[1] "/" part[1] ".h\"")
}

function complain(text) {
	printf "%s:%d: %s\n", FILENAME, FNR, text
	failed = 1
}

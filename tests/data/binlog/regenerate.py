#!/usr/bin/python3
"""Captures the binlog files of this folder from running servers, and what they should decode to.

usage: regenerate.py NAME CORPUS HOST PORT METADATA [ROW_IMAGE]

Runs CORPUS.sql on the server (which must run on this machine: its binlog file is copied) and writes
  NAME.binlog             the binlog file, whole
  SERVER-CORPUS.schema    the information schema of its tables: table, column, type, character set, nullable, JSON, place in the key
  CORPUS.expected         what the tables are, and their rows in the format `millstream`: read with SELECT, by this script alone; of
                          long lines the start and the SHA-256. Every server must give the same
where NAME is SERVER-..., such as mysql9-full. The lines of the corpus `images` come from the programs $MYSQLBINLOG and
$MARIADB_BINLOG instead, and are in NAME.expected; those of `statements` (what each does) are written by hand.
The captures of the folder are listed in captures.tsv; `regenerate.py all MARIADB10 MARIADB11 MYSQL80 MYSQL9` (ports on
127.0.0.1) makes them all."""
import base64, hashlib, json, os, re, shutil, struct, subprocess, sys
import pymysql

HERE = os.path.dirname(os.path.abspath(__file__))
DATABASE = "capture"
NUMBERS = ("tinyint", "smallint", "mediumint", "int", "bigint", "float", "double")


def statements(corpus, product):
    text = ""
    for line in open(f"{HERE}/{corpus}.sql", encoding="utf8"):
        mark = re.match(r"--(mysql|mariadb):", line)
        if mark and mark.group(1) == product:
            line = line[mark.end():]
        if not line.startswith("--"):
            text += line
    return [s.strip() for s in re.split(r";\n", text) if s.strip()]


def compact(text):
    """JSON text without white space outside of strings."""
    out, inside, skip = "", False, False
    for c in text:
        if inside:
            out += c
            if skip:
                skip = False
            elif c == "\\":
                skip = True
            elif c == '"':
                inside = False
        elif not c.isspace():
            out += c
            inside = c == '"'
    return out


def shortest(value, digits, same):
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    for precision in digits:
        text = "%.*g" % (precision, value)
        if same(float(text)):
            break
    mantissa, _, exponent = text.partition("e")
    return mantissa + ("e%d" % int(exponent) if exponent else "")


def single(value):
    return struct.unpack("<f", struct.pack("<f", value))[0]


def spell(value, column):
    """A cell as the server sent it (bytes), as the format spells it."""
    kind = column["data"]
    if value is None:
        return "null"
    if kind in ("float", "double"):
        number = float(value)
        if kind == "float":
            digits = range(1 if abs(number) < 1.17549435e-38 else 6, 10)
            return shortest(number, digits, lambda n: abs(n) < 3.5e38 and single(n) == single(number))
        return shortest(number, range(1 if abs(number) < 2.3e-308 else 15, 18), lambda n: n == number)
    if kind in NUMBERS or kind in ("decimal", "year", "bit"):
        text = value.decode()
        return str(int(text)) if kind != "decimal" else re.sub(r"^(-?)0+(?=\d)", r"\1", text)
    if kind in ("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"):
        return '"' + base64.b64encode(value).decode() + '"'
    text = value.decode("utf8")
    if column["json"]:
        return compact(text)
    if kind == "datetime":
        text = text.replace(" ", "T")
    if kind == "timestamp":
        text = text.replace(" ", "T") + "Z"
    if kind == "set":
        return json.dumps(text.split(",") if text else [], ensure_ascii=False, separators=(",", ":"))
    return json.dumps(text, ensure_ascii=False)


def normal_type(column):
    """COLUMN_TYPE without what the binlog does not say."""
    if column["json"]:
        return "json"
    text = column["type"]
    if column["data"] in NUMBERS + ("year",):
        text = re.sub(r"\(.*?\)", "", text)
    return text.replace(" zerofill", "")


def selected(column):
    name = "`%s`" % column["name"].replace("`", "``")
    if column["data"] == "bit":
        return name + "+0"
    if column["data"] in ("float", "double"): # with digits (M,D) it would be rounded to what they show
        return f"cast({name} as double)" if column["mariadb"] else name + "+0e0"
    if column["data"] == "json":
        return f"cast({name} as char)"
    return name


def read_schema(cursor, mariadb):
    checks = set()
    if mariadb:
        cursor.execute("select table_name, check_clause from information_schema.check_constraints where constraint_schema=%s", DATABASE)
        checks = {(table, clause) for table, clause in cursor.fetchall()}
    cursor.execute("select table_name, column_name, seq_in_index from information_schema.statistics where table_schema=%s and index_name='PRIMARY'", DATABASE)
    keys = {(t, c): s for t, c, s in cursor.fetchall()}
    cursor.execute("""select table_name, column_name, column_type, data_type, ifnull(character_set_name,''), is_nullable from information_schema.columns
        where table_schema=%s order by table_name, ordinal_position""", DATABASE)
    tables = {}
    for table, name, kind, data, charset, nullable in cursor.fetchall():
        if isinstance(kind, bytes):
            kind = kind.decode()
        if isinstance(data, bytes):
            data = data.decode()
        is_json = data == "json" or (table, "json_valid(`%s`)" % name) in checks
        tables.setdefault(table, []).append({"name": name, "type": kind, "data": data, "charset": charset, "nullable": nullable == "YES",
            "json": is_json, "place": keys.get((table, name), 0), "mariadb": mariadb})
    return tables


def rows_of(cursor, table, columns):
    quoted = table.replace("`", "``")
    cursor.execute("select %s from `%s`" % (", ".join(selected(c) for c in columns), quoted))
    return cursor.fetchall()


def shorten(line):
    line = line.encode()
    if len(line) <= 2000:
        return line.decode()
    return line[:100].decode() + "... " + hashlib.sha256(line).hexdigest()


def read_with_program(program, file, tables):
    """Lines of all row changes, as mysqlbinlog -v or mariadb-binlog -v tell them."""
    text = subprocess.run([program, "-v", "--base64-output=decode-rows", file], check=True, capture_output=True, text=True).stdout
    ops = {"INSERT INTO": "c", "UPDATE": "u", "DELETE FROM": "d"}
    changes = []
    for line in text.splitlines():
        start = re.match(r"### (INSERT INTO|UPDATE|DELETE FROM) `capture`.`(\w+)`", line)
        cell = re.match(r"###   @(\d+)=(.*)", line)
        if start:
            changes.append((start.group(2), ops[start.group(1)], []))
        elif line in ("### SET", "### WHERE"):
            changes[-1][2].append([])
        elif cell:
            name = tables[changes[-1][0]][int(cell.group(1)) - 1]["name"]
            value = re.sub(r" /\*.*", "", cell.group(2)).replace("'", '"').replace("NULL", "null")
            changes[-1][2][-1].append(f'"{name}":{value}')
    return ["\t".join([table, op] + ["{%s}" % ",".join(image) for image in images or [[]]]) for table, op, images in changes]


def escape(text):
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")


def capture(name, corpus, host, port, metadata, image="FULL"):
    connect = dict(host=host, port=int(port), user="test", password="test", charset="utf8mb4", autocommit=True)
    cursor = pymysql.connect(**connect).cursor()
    cursor.execute("select version()")
    mariadb = "MariaDB" in cursor.fetchone()[0]
    for statement in (f"drop database if exists {DATABASE}", "set global binlog_row_metadata=%s" % metadata, "flush binary logs"):
        cursor.execute(statement)
    cursor.execute("show binary logs")
    file = sorted(row[0] for row in cursor.fetchall())[-1]
    encoding = "utf8"
    for statement in ["set sql_mode='', time_zone='+00:00'", f"set session binlog_row_image={image}",
            f"create database {DATABASE} default character set utf8mb4", f"use {DATABASE}"] + statements(corpus, "mariadb" if mariadb else "mysql"):
        if statement.startswith("set names"):
            encoding = statement.split()[-1].replace("utf8mb4", "utf8")
        cursor.connection.query(statement.encode(encoding))
    tables = read_schema(cursor, mariadb)
    reading = pymysql.connect(**connect, database=DATABASE, conv={}, use_unicode=False, init_command="set time_zone='+00:00'").cursor()
    expected = []
    for table, columns in sorted(tables.items()):
        places = sorted((c["place"], c["name"]) for c in columns if c["place"])
        described = ",".join('"%s" %s%s' % (c["name"], normal_type(c), "" if c["nullable"] else " not null") for c in columns)
        expected.append(f"{table}\tcolumns\t{described} key {','.join(n for _, n in places)}")
        for row in rows_of(reading, table, columns) if corpus != "images" else ():
            cells = ",".join(json.dumps(c["name"], ensure_ascii=False) + ":" + spell(v, c) for c, v in zip(columns, row))
            expected.append(shorten(f"{table}\tc\t{{{cells}}}"))
    cursor.execute("flush binary logs")
    cursor.execute("select @@log_bin_basename")
    shutil.copyfile(os.path.dirname(cursor.fetchone()[0]) + "/" + file, f"{HERE}/{name}.binlog")
    cursor.execute(f"drop database {DATABASE}")
    if corpus == "statements":
        return
    both = f"{HERE}/{name.split('-')[0]}-{corpus}"
    with open(f"{both}.schema", "w", encoding="utf8") as out:
        for table, columns in sorted(tables.items()):
            for c in columns:
                print(*map(escape, (table, c["name"], c["type"], c["charset"])), int(c["nullable"]), int(c["json"]), c["place"], sep="\t", file=out)
    if corpus == "images":
        program = os.environ.get("MARIADB_BINLOG", "mariadb-binlog") if mariadb else os.environ.get("MYSQLBINLOG", "mysqlbinlog")
        expected += read_with_program(program, f"{HERE}/{name}.binlog", tables)
    text = "\n".join(expected) + "\n"
    path = f"{HERE}/{name if corpus == 'images' else corpus}.expected"
    if os.path.exists(path) and open(path, encoding="utf8").read() != text:
        open(path + ".new", "w", encoding="utf8").write(text)
        sys.exit(f"{path} is not what this server says, see {path}.new")
    open(path, "w", encoding="utf8").write(text)


def main(args):
    if args[0] != "all":
        return capture(*args)
    ports = dict(zip(("mariadb10", "mariadb11", "mysql80", "mysql9"), args[1:]))
    for line in open(f"{HERE}/captures.tsv", encoding="utf8"):
        if line.startswith("#"):
            continue
        name, corpus, metadata, image = line.split()
        print(name)
        capture(name, corpus, "127.0.0.1", ports[name.split("-")[0]], metadata, image)


if __name__ == "__main__":
    main(sys.argv[1:])

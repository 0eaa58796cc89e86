#!/usr/bin/python3
"""Captures the binlog files of this folder from running servers, and what they should decode to.

usage: regenerate.py NAME CORPUS HOST PORT METADATA [ROW_IMAGE]

Runs CORPUS.sql on the server (which must run on this machine: its binlog file is copied) and
writes, NAME being SERVER-..., such as mysql9-full:
  NAME.binlog           the binlog file, whole
  SERVER-CORPUS.schema  the information schema of its tables: table, column, type, character set,
                        nullable, JSON, place in the key
  CORPUS.expected       what the tables are, and their rows in the format `millstream`: read with
                        SELECT, by this script alone; of long lines the start and the SHA-256.
                        Every server must give the same

The lines of the corpus `images` come from the programs $MYSQLBINLOG and $MARIADB_BINLOG instead,
and are in NAME.expected; those of `statements` (what each does) are written by hand, and so is
mariadb10-old_times.expected, the only table of `others` that is decoded.

The captures of the folder are listed in captures.tsv. All of them, from servers on 127.0.0.1:

  regenerate.py all PORT_MARIADB10 PORT_MARIADB11 PORT_MYSQL80 PORT_MYSQL9
"""
import base64
import hashlib
import json
import os
import re
import shutil
import struct
import subprocess
import sys

import pymysql

HERE = os.path.dirname(os.path.abspath(__file__))
DATABASE = "capture"
NUMBERS = ("tinyint", "smallint", "mediumint", "int", "bigint", "float", "double")
BINARIES = ("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob")
SERVERS = ("mariadb10", "mariadb11", "mysql80", "mysql9")

COLUMNS = """select table_name, column_name, column_type, data_type,
        ifnull(character_set_name, ''), is_nullable
    from information_schema.columns where table_schema = %s order by table_name, ordinal_position"""
CHECKS = """select table_name, check_clause from information_schema.check_constraints
    where constraint_schema = %s"""
KEYS = """select table_name, column_name, seq_in_index from information_schema.statistics
    where table_schema = %s and index_name = 'PRIMARY'"""


def statements(corpus, product):
    text = ""
    for line in open(f"{HERE}/{corpus}.sql", encoding="utf8"):
        mark = re.match(r"--(mysql|mariadb):", line)
        if mark and mark.group(1) == product:
            line = line[mark.end():]
        if not line.startswith("--"):
            text += line
    return [s.strip() for s in re.split(r";\n", text) if s.strip()]


# ---- values ----

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


def spell_real(number, is_single):
    least = 1.17549435e-38 if is_single else 2.3e-308
    usual, most = (6, 10) if is_single else (15, 18)

    def same(other):
        if is_single:
            return abs(other) < 3.5e38 and single(other) == single(number)
        return other == number

    return shortest(number, range(1 if abs(number) < least else usual, most), same)


def spell(value, column):
    """A cell as the server sent it (bytes), as the format spells it."""
    kind = column["data"]
    if value is None:
        return "null"
    if kind in ("float", "double"):
        return spell_real(float(value), kind == "float")
    if kind == "decimal":
        return re.sub(r"^(-?)0+(?=\d)", r"\1", value.decode())
    if kind in NUMBERS or kind in ("year", "bit"):
        return str(int(value))
    if kind in BINARIES:
        return '"' + base64.b64encode(value).decode() + '"'
    text = value.decode("utf8")
    if column["json"]:
        return compact(text)
    if kind == "datetime":
        text = text.replace(" ", "T")
    if kind == "timestamp":
        text = text.replace(" ", "T") + "Z"
    if kind == "set":
        members = text.split(",") if text else []
        return json.dumps(members, ensure_ascii=False, separators=(",", ":"))
    return json.dumps(text, ensure_ascii=False)


def selected(column):
    name = "`%s`" % column["name"].replace("`", "``")
    if column["data"] == "bit":
        return name + "+0"
    if column["data"] in ("float", "double"):  # with digits (M,D) rounded to what they show
        return f"cast({name} as double)" if column["mariadb"] else name + "+0e0"
    if column["data"] == "json":
        return f"cast({name} as char)"
    return name


# ---- tables ----

def as_text(value):
    return value.decode() if isinstance(value, bytes) else value


def read_schema(cursor, mariadb):
    checks = set()
    if mariadb:
        cursor.execute(CHECKS, DATABASE)
        checks = set(cursor.fetchall())
    cursor.execute(KEYS, DATABASE)
    keys = {(table, column): place for table, column, place in cursor.fetchall()}
    cursor.execute(COLUMNS, DATABASE)
    tables = {}
    for table, name, kind, data, charset, nullable in cursor.fetchall():
        data = as_text(data)
        is_json = data == "json" or (table, "json_valid(`%s`)" % name) in checks
        tables.setdefault(table, []).append({
            "name": name, "type": as_text(kind), "data": data, "charset": charset,
            "nullable": nullable == "YES", "json": is_json,
            "place": keys.get((table, name), 0), "mariadb": mariadb})
    return tables


def normal_type(column):
    """COLUMN_TYPE without what the binlog does not say."""
    if column["json"]:
        return "json"
    text = column["type"]
    if column["data"] in NUMBERS + ("year",):
        text = re.sub(r"\(.*?\)", "", text)
    return text.replace(" zerofill", "")


def described(table, columns):
    places = sorted((c["place"], c["name"]) for c in columns if c["place"])
    texts = ['"%s" %s%s' % (c["name"], normal_type(c), "" if c["nullable"] else " not null")
             for c in columns]
    return f"{table}\tcolumns\t{','.join(texts)} key {','.join(n for _, n in places)}"


def read_rows(cursor, table, columns):
    quoted = table.replace("`", "``")
    cursor.execute("select %s from `%s`" % (", ".join(map(selected, columns)), quoted))
    for row in cursor.fetchall():
        cells = [json.dumps(c["name"], ensure_ascii=False) + ":" + spell(v, c)
                 for c, v in zip(columns, row)]
        yield shorten(f"{table}\tc\t{{{','.join(cells)}}}")


def shorten(line):
    line = line.encode()
    if len(line) <= 2000:
        return line.decode()
    return line[:100].decode() + "... " + hashlib.sha256(line).hexdigest()


def read_with_program(program, file, tables):
    """Lines of all row changes, as mysqlbinlog -v or mariadb-binlog -v tell them."""
    command = [program, "-v", "--base64-output=decode-rows", file]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
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
            value = re.sub(r" /\*.*", "", cell.group(2))
            value = value.replace("'", '"').replace("NULL", "null")
            changes[-1][2][-1].append(f'"{name}":{value}')
    return ["\t".join([table, op] + ["{%s}" % ",".join(image) for image in images or [[]]])
            for table, op, images in changes]


# ---- files ----

def escape(text):
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")


def write_schema(path, tables):
    with open(path, "w", encoding="utf8") as out:
        for table, columns in sorted(tables.items()):
            for c in columns:
                texts = map(escape, (table, c["name"], c["type"], c["charset"]))
                numbers = int(c["nullable"]), int(c["json"]), c["place"]
                print(*texts, *numbers, sep="\t", file=out)


def write_expected(path, lines):
    text = "\n".join(lines) + "\n"
    if os.path.exists(path) and open(path, encoding="utf8").read() != text:
        open(path + ".new", "w", encoding="utf8").write(text)
        sys.exit(f"{path} is not what this server says, see {path}.new")
    open(path, "w", encoding="utf8").write(text)


def run_corpus(cursor, corpus, product, image):
    for statement in ("set sql_mode='', time_zone='+00:00'",
                      f"set session binlog_row_image={image}",
                      f"create database {DATABASE} default character set utf8mb4",
                      f"use {DATABASE}"):
        cursor.execute(statement)
    encoding = "utf8"
    for statement in statements(corpus, product):
        if statement.startswith("set names"):
            encoding = statement.split()[-1].replace("utf8mb4", "utf8")
        cursor.connection.query(statement.encode(encoding))


def begin_file(cursor, metadata):
    cursor.execute(f"drop database if exists {DATABASE}")
    cursor.execute(f"set global binlog_row_metadata={metadata}")
    cursor.execute("flush binary logs")
    cursor.execute("show binary logs")
    file = sorted(row[0] for row in cursor.fetchall())[-1]
    cursor.execute("select @@log_bin_basename")
    return os.path.dirname(cursor.fetchone()[0]) + "/" + file


def capture(name, corpus, host, port, metadata, image="FULL"):
    connect = dict(host=host, port=int(port), user="test", password="test", charset="utf8mb4",
                   autocommit=True)
    cursor = pymysql.connect(**connect).cursor()
    cursor.execute("select version(), @@global.binlog_row_metadata")
    version, former = cursor.fetchone()
    product = "mariadb" if "MariaDB" in version else "mysql"
    file = begin_file(cursor, metadata)
    run_corpus(cursor, corpus, product, image)
    tables = read_schema(cursor, product == "mariadb")
    cursor.execute("flush binary logs")
    shutil.copyfile(file, f"{HERE}/{name}.binlog")
    if corpus != "statements":
        write_schema(f"{HERE}/{name.split('-')[0]}-{corpus}.schema", tables)
    if corpus not in ("statements", "others"):
        raw = pymysql.connect(**connect, database=DATABASE, conv={}, use_unicode=False,
                              init_command="set time_zone='+00:00'").cursor()
        expect(name, corpus, product, raw, tables)
    cursor.execute(f"drop database {DATABASE}")
    cursor.execute(f"set global binlog_row_metadata={former}")


def expect(name, corpus, product, cursor, tables):
    lines = []
    for table, columns in sorted(tables.items()):
        lines.append(described(table, columns))
        if corpus != "images":
            lines.extend(read_rows(cursor, table, columns))
    if corpus == "images":
        program = os.environ.get("MYSQLBINLOG", "mysqlbinlog")
        if product == "mariadb":
            program = os.environ.get("MARIADB_BINLOG", "mariadb-binlog")
        lines += read_with_program(program, f"{HERE}/{name}.binlog", tables)
    write_expected(f"{HERE}/{name if corpus == 'images' else corpus}.expected", lines)


def main(args):
    if args[0] != "all":
        return capture(*args)
    ports = dict(zip(SERVERS, args[1:]))
    for line in open(f"{HERE}/captures.tsv", encoding="utf8"):
        if line.startswith("#"):
            continue
        name, corpus, metadata, image = line.split()
        print(name)
        capture(name, corpus, "127.0.0.1", ports[name.split("-")[0]], metadata, image)


if __name__ == "__main__":
    main(sys.argv[1:])

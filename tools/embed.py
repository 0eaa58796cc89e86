#!/usr/bin/env python3
"""Turns the console's page into a C file: tools/embed.py page.html page.c

A script and not the assembler's .incbin: the build knows what the object depends on, link-time
optimisation sees ordinary data, and the page's Content-Security-Policy can name its inline script
and style by hash, so that it allows nothing else. Meson, which runs it, is Python itself.
"""
import base64
import hashlib
import re
import sys


def hashes(page, tag):
    parts = re.findall(rb"<%s>(.*?)</%s>" % (tag, tag), page, re.S)
    if not parts:
        sys.exit(f"{sys.argv[1]}: no <{tag.decode()}>")
    return " ".join("'sha256-%s'" % base64.b64encode(hashlib.sha256(part).digest()).decode()
                    for part in parts)


with open(sys.argv[1], "rb") as file:
    page = file.read()
policy = ("default-src 'none'; script-src %s; style-src %s; connect-src 'self'; img-src data:; "
          "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
          % (hashes(page, b"script"), hashes(page, b"style")))
with open(sys.argv[2], "w", encoding="ascii") as file:
    file.write('/* Made by tools/embed.py. */\n#include "console/page.h"\n\n')
    file.write("const unsigned char console_page[] = {\n")
    for at in range(0, len(page), 20):
        file.write("\t" + ", ".join(str(byte) for byte in page[at:at + 20]) + ",\n")
    file.write("};\nconst size_t console_page_len = sizeof console_page;\n")
    file.write('const char console_page_policy[] = "%s";\n' % policy)

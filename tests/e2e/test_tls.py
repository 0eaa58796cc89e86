"""Connections: TCP and TLS beside the unix socket that the other tests use."""

import subprocess
from pathlib import Path

import pytest


def make_certificates(folder: Path) -> None:
    """A certificate authority and a server's certificate for 127.0.0.1."""
    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test authority",
            "-keyout", "ca.key", "-out", "ca.pem")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1", "-keyout", "key.pem", "-out", "req.pem")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1\n")
    openssl("x509", "-req", "-in", "req.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
            "-extfile", "names", "-out", "cert.pem")


@pytest.fixture(params=["mariadb", "mysql9"])
def secure(request, own_server, folder):
    make_certificates(folder)
    return own_server(request.param, f"--ssl-ca={folder}/ca.pem", f"--ssl-cert={folder}/cert.pem",
                      f"--ssl-key={folder}/key.pem")


def over_tcp(mill, server, **settings):
    del mill.settings["source"]["socket"]
    return mill.configure(source={"host": "127.0.0.1", "port": server.port, **settings})


@pytest.mark.parametrize("tls", ["off", "preferred", "required", "verify"])
def test_captures_over_tcp(secure, folder, millstream, tls):
    secure.sql("create database d")
    secure.sql("create table d.t (id int primary key, v varchar(200))")
    secure.sql("insert into d.t values " + ",".join(f"({i}, '{'x' * 150}')" for i in range(2000)))
    mill = over_tcp(millstream(secure, tables=["d.*"]), secure, tls=tls, tls_ca=str(folder / "ca.pem"))
    said = mill.role("capture", "--until-end").stderr.decode()
    assert ("TLSv1" in said) == (tls != "off")
    assert sum(line["op"] == "c" for line in mill.tail()) == 2000


def test_an_authority_that_is_not_trusted(secure, folder, millstream):
    other = folder / "other"
    other.mkdir()
    make_certificates(other)
    mill = over_tcp(millstream(secure, tables=["d.*"]), secure, tls="verify", tls_ca=str(other / "ca.pem"))
    done = mill.role("capture", "--until-end", expect="DENIED")
    assert b"certificate" in done.stderr and b"tls_ca" in done.stderr


def test_tls_where_there_is_none(own_server, millstream):
    server = own_server("mysql9", "--tls-version=")
    mill = over_tcp(millstream(server, tables=["d.*"]), server, tls="required")
    done = mill.role("capture", "--until-end", expect="DENIED")
    assert b"TLS" in done.stderr and b"source.tls" in done.stderr

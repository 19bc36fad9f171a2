"""A certificate authority for one test run, by openssl."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Certificates:
    authority: Path
    certificate: Path
    key: Path


def make(folder: Path, hosts: list[str]) -> Certificates:
    """An authority, and a certificate of it for this machine and these hosts."""
    folder.mkdir(parents=True, exist_ok=True)
    names = ",".join(["IP:127.0.0.1", *(f"DNS:{host}" for host in hosts)])
    (folder / "extensions").write_text(f"subjectAltName={names}\n")
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    for command in (
        ["req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=live"],
        ["req", *curve, "-keyout", "key.pem", "-out", "request.pem", "-subj", "/CN=live server"],
        [
            *("x509", "-req", "-in", "request.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"),
            *("-out", "certificate.pem", "-days", "2", "-extfile", "extensions"),
        ],
    ):
        subprocess.run(["openssl", *command], cwd=folder, check=True, capture_output=True)
    return Certificates(folder / "ca.pem", folder / "certificate.pem", folder / "key.pem")

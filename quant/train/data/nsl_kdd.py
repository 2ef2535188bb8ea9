"""NSL-KDD: records of network connections, normal or attack, as small integers."""

from __future__ import annotations

import csv
import hashlib
from functools import cache
from pathlib import Path

import numpy as np

from .files import DataUnavailable, RemoteFile, obtain
from .source import Dataset, Source

HOME = "https://raw.githubusercontent.com/ddrogers/R-intrusion-detection-demo/3a2a6005ff0c27f805b4a6ad612e743cbb91c915"
TRAIN = RemoteFile("nsl-kdd/KDDTrain+_20Percent.txt", f"{HOME}/KDDTrain%2B_20Percent.txt",
                   "5bf25df3ec1544eb3297b9a90b56736ba11e31f429df20e5aa0cfd49ca0fc896")
TEST = RemoteFile("nsl-kdd/KDDTest+.txt", f"{HOME}/KDDTest%2B.txt",
                  "6ff4e09deee2c50c4877bbfe84f926dffafe3ef33d24f9dcfe0e425f4a8df5a2")
ATTACK = 41
HELD_OUT = 5
"""Every fifth record of the training file is not trained on."""

CATEGORIES: dict[int, tuple[str, ...]] = {
    1: ("tcp", "udp", "icmp"),
    2: ("http", "private", "domain_u", "smtp", "ftp_data", "eco_i", "ecr_i", "telnet", "finger", "ftp", "auth", "IRC",
        "urp_i", "pop_3"),
    3: ("SF", "S0", "REJ", "RSTR", "RSTO", "SH"),
}
"""By column: protocol, service and flag. One element each, 3 where the record has that value, else 0; one more of
services and flags for all other values."""

EDGES: dict[int, tuple[float, ...]] = {
    0: (1, 10, 60, 300, 1000, 5000),  # duration, s
    4: (1, 20, 50, 120, 240, 300, 500, 1500, 30000),  # bytes from the source
    5: (1, 100, 300, 1000, 3000, 8000),  # bytes from the destination
    7: (1, 2, 3),  # wrong fragments
    9: (1, 2, 20),  # "hot" indicators
    10: (1, 2, 3),  # failed logins
    11: (1, 1, 1),  # logged in
    12: (1, 2, 6),  # compromised conditions
    13: (1, 1, 1),  # root shell
    15: (1, 5, 10),  # accesses as root
    16: (1, 2, 5),  # files created
    18: (1, 2, 3),  # accesses to control files
    21: (1, 1, 1),  # guest login
    22: (2, 5, 15, 40, 100, 200, 300, 400, 500),  # connections to the same host in two seconds
    23: (2, 5, 10, 20, 50, 100, 200, 300, 500),  # … to the same service
    24: (0.05, 0.5, 0.95),  # of the former, the share with SYN errors
    25: (0.05, 0.5, 0.95),
    26: (0.05, 0.5, 0.95),  # … with REJ errors
    27: (0.05, 0.5, 0.95),
    28: (0.05, 0.1, 0.2, 0.5, 0.9, 1),  # … to the same service
    29: (0.03, 0.06, 0.08, 0.2, 0.5, 0.9),  # … to different services
    30: (0.01, 0.15, 0.9),  # of those to the same service, the share to different hosts
    31: (3, 10, 50, 100, 200, 255),  # of the last 100 connections, those to the same host
    32: (3, 10, 25, 60, 150, 255),  # … to the same host and service
    33: (0.02, 0.05, 0.1, 0.3, 0.7, 1),
    34: (0.01, 0.04, 0.06, 0.08, 0.2, 0.5),
    35: (0.01, 0.05, 0.1, 0.3, 0.7, 1),  # … from the same source port
    36: (0.01, 0.03, 0.1),
    37: (0.02, 0.3, 0.95),
    38: (0.02, 0.3, 0.95),
    39: (0.02, 0.3, 0.95),
    40: (0.02, 0.3, 0.95),
}
"""By column: edges in ascending order. Each three are one element, which counts how many of them a value reaches: a
thermometer, three marks to an element of two bits."""


def encode(records: list[list[str]]) -> np.ndarray:
    """Records of NSL-KDD (41 columns or more) as integers 0 to 3: int64 (records, 72).

    Numbers first (:data:`EDGES`, in the order of the columns), then categories.
    """
    parts = []
    for column, edges in EDGES.items():
        values = np.array([float(record[column]) for record in records])
        marks = values[:, None] >= np.array(edges)
        parts.append(marks.reshape(len(records), -1, 3).sum(axis=2))
    for column, known in CATEGORIES.items():
        names = np.array([record[column] for record in records])
        hits = names[:, None] == np.array(known)
        others = ~hits.any(axis=1, keepdims=True)
        parts.append(3 * (hits if column == 1 else np.hstack([hits, others])))
    return np.hstack(parts).astype(np.int64)


@cache
def _nsl_kdd() -> Dataset:
    """The first fifth of NSL-KDD's training records; held out are KDDTest+ and each fifth record of the training file.

    KDDTest+ holds kinds of attacks that are in no training record, so that accuracy there is far below that on held-out
    training records, for every method; both are told.

    Source: M. Tavallaee, E. Bagheri, W. Lu, A. Ghorbani, "A Detailed Analysis of the KDD CUP 99 Data Set", CISDA 2009.
    """
    x, y = _read(TRAIN)
    x_test, y_test = _read(TEST)
    kept = np.arange(len(x)) % HELD_OUT != HELD_OUT - 1
    more = {"held-out records of the training file": (x[~kept], y[~kept])}
    return Dataset(x[kept], y[kept], x_test, y_test, NSL_KDD.classes, NSL_KDD.input_format, more)


def _read(file: RemoteFile) -> tuple[np.ndarray, np.ndarray]:
    """Encoded records and their classes: 0 normal, 1 attack."""
    path: Path = obtain(file)
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != file.sha256:
        raise DataUnavailable(f"{path}: must be the file of {file.url}, whose SHA-256 is {file.sha256}, not {digest}")
    records = list(csv.reader(content.decode("ascii").splitlines()))
    return encode(records), np.array([int(record[ATTACK] != "normal") for record in records])


NSL_KDD = Source((sum(len(edges) // 3 for edges in EDGES.values()) + sum(map(len, CATEGORIES.values())) + 2,),
                 ("normal", "attack"), 3, _nsl_kdd, (TRAIN, TEST))

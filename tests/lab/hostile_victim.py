"""Run command lines as one user, in one process, and tell how each ended: run by test_hostile_tmp, as a program."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

import in_process

if __name__ == "__main__":
    sys.stdout.write(json.dumps([asdict(in_process.run(words)) for words in json.loads(sys.argv[1])]))

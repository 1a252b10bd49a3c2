"""What locust's users saw, as a table: right answers by the image that gave them, and failures."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tabulate import tabulate

rows = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
right = {row["name"]: row["num_requests"] - row["num_failures"] for row in rows}
failed = sum(row["num_failures"] for row in rows)
table = [(image, count) for image, count in sorted(right.items()) if count]
table += [("failed", failed), ("all", sum(right.values()) + failed)]
sys.stdout.write(tabulate(table, headers=("answered by", "requests")) + "\n")
sys.exit(1 if failed else 0)

#!/usr/bin/env python3
"""Database-migration guard: blue and green share a database, so a migration must leave blue running.

    hooks:
      before_launch:
        - {command: {run: [python3, hooks/migration_guard.py, migrations, --after, "0042_add_index.sql"]}}

It reads the SQL files of a folder that come after ``--after`` (the last one the live release brought; 9 comes before
10) and says no to statements that break the release before: what it still reads is dropped, renamed, retyped or made
obligatory.
Split such a change in two releases (expand, then contract), or write ``-- bluegreen: allow REASON`` in the
statement. Exit codes: 0 yes, 1 no, 75 could not ask.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

COULD_NOT_ASK = 75
BREAKING = [
    (r"\bDROP\s+(TABLE|COLUMN|VIEW|SCHEMA|TYPE|FUNCTION)\b", "drops what the release before may read"),
    (r"\bALTER\s+TABLE\b.*\bDROP\s+(?!CONSTRAINT\b|DEFAULT\b|NOT\b|INDEX\b)\w+", "drops a column"),
    (r"\bRENAME\s+(TO|COLUMN|TABLE|\w+\s+TO)\b", "renames what the release before reads"),
    (r"\bALTER\s+TABLE\b.*\bCHANGE\s+(COLUMN\s+)?\w+\s+\w+", "renames or retypes what the release before reads"),
    (r"\bALTER\s+(COLUMN\s+)?\S+\s+(SET\s+DATA\s+)?TYPE\b|\bMODIFY\s+(COLUMN\s+)?\w+", "changes a column's type"),
    (r"\bSET\s+NOT\s+NULL\b", "makes obligatory what the release before may leave out"),
    (
        r"\bADD\s+(COLUMN\s+)?(?!CONSTRAINT\b)\w+(?!.*\bDEFAULT\b).*\bNOT\s+NULL\b",
        "adds an obligatory column without a default",
    ),
    (r"\bTRUNCATE\b|\bDELETE\s+FROM\s+\S+\s*$", "empties a table"),
]
ALTER_TABLE = re.compile(r"ALTER\s+TABLE\s+(IF\s+EXISTS\s+)?(ONLY\s+)?\S+\s+", re.IGNORECASE)
ADD_SEVERAL = re.compile(r"ADD\s*(COLUMN\s*)?\((.*)\)", re.IGNORECASE)
QUOTES = str.maketrans("", "", '"`[]')
ALLOWED = re.compile(r"--\s*bluegreen:\s*allow\s+\S", re.IGNORECASE)
NOT_CODE = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'", re.DOTALL)


def main() -> int:
    parser = argparse.ArgumentParser(description="migrations must leave the live release running")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--after", default="", help="the last migration that the live release brought")
    options = parser.parse_args()
    if not options.folder.is_dir():
        print(f"there is no folder {options.folder}")
        return COULD_NOT_ASK
    files = sorted(options.folder.glob("*.sql"), key=in_order)
    names = [file.name for file in files]
    if options.after and options.after not in names:
        print(f"there is no {options.after} in {options.folder}: which migrations are new cannot be told")
        return COULD_NOT_ASK
    files = files[names.index(options.after) + 1 :] if options.after else files
    findings = [f"{file.name}: {finding}" for file in files for finding in breaking(file.read_text("utf-8"))]
    print("\n".join(findings) or f"{len(files)} new migrations, none breaks the live release")
    return 1 if findings else 0


def breaking(sql: str) -> list[str]:
    found = []
    for statement in statements(sql):
        code = " ".join(NOT_CODE.sub(" ", statement).translate(QUOTES).split())
        changes = clauses(code)
        reason = next(
            (why for pattern, why in BREAKING for change in changes if re.search(pattern, change, re.IGNORECASE)), None
        )
        if reason and not ALLOWED.search(statement):
            found.append(f"{reason}: {code[:120]}")
    return found


def in_order(file: Path) -> list[str | int]:
    """Texts and numbers in turn."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", file.name)]


def clauses(code: str) -> list[str]:
    """What an ALTER TABLE does, one by one, each as a statement of its own: one's DEFAULT is no other one's."""
    head = ALTER_TABLE.match(code)
    if head is None:
        return [code]
    found = []
    for part in parts(code[head.end() :]):
        several = ADD_SEVERAL.fullmatch(part)
        found += [f"ADD {each}" for each in parts(several[2])] if several else [part]
    return [head[0] + each for each in found]


def parts(code: str) -> list[str]:
    """Split at commas that are in no parentheses."""
    found, depth = [""], 0
    for letter in code:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            found.append("")
        else:
            found[-1] += letter
    return [part.strip() for part in found]


def statements(sql: str) -> list[str]:
    """Split at semicolons that are neither in a text nor in a comment."""
    ends = [
        match.start() for match in re.finditer(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|(;)", sql, re.DOTALL) if match[1]
    ]
    starts = [0, *(end + 1 for end in ends)]
    return [sql[start:end] for start, end in zip(starts, [*ends, len(sql)], strict=True)]


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Runs SQL queries with DuckDB in the current folder.

Reads a JSON list of queries from standard input. Prints a JSON list with the columns, as names and types, and the rows of
each result.
"""

import json
import sys

import duckdb

results = []
for query in json.load(sys.stdin):
    result = duckdb.sql(query)
    columns = [[name, str(kind)] for name, kind in zip(result.columns, result.types)]
    results.append({"columns": columns, "rows": result.fetchall()})
json.dump(results, sys.stdout, default=str)

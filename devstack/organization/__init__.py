"""Backfill the trail of an organization with a real Airflow, and check every event and every cell.

`trail` writes the trail, `damage` alters some of its objects, `backfill` loads it, and `proof` checks the result.
"""

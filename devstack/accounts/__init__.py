"""Backfill the accounts of an organization with a real Airflow, twice, and check every event and every cell.

Some accounts lack the role at first, and the sessions of one account expire while it is looked up. `scenario` has
the accounts, `backfill` runs both backfills, and `proof` checks them.
"""

"""Follow an account or a trail with live runs of a real Airflow while the simulated time passes, with faults.

`scenario` has the times of the runs and their faults, `sources` the events and when they become available, `hours`
makes the runs, and `proof` checks when each event was found.
"""

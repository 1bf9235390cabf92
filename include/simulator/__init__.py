"""Made-up systems of the departments, with dirt and faults, to run zhengku against; no real person or body occurs.

Nothing here imports zhengku, so that the simulator cannot repeat a mistake of the pipeline.
"""

"""The garbage collector of a program that holds many runs at once. A library must not touch it; its programs may."""

import gc

# A run in flight keeps some three hundred containers, and one that goes well leaves no cycles behind. So the collector
# finds nothing however often it looks, and by default it looks so often that it doubles the work of a thousand runs.
# This bound lets at most so many containers of garbage pile up, some 80 MB.
THRESHOLDS = (400_000, 20, 50)


def relax_collector() -> None:
    """Leave out what start-up has made, and look for cycles seldom; for a service or a command, called once."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)

"""The garbage collector of a program that holds many runs at once. A library must not touch it; its programs may."""

import gc

# A run in flight keeps some three hundred containers, and one that goes well leaves no cycles behind. So the collector
# finds nothing however often it looks, and by default it looks so often that it doubles the work of a thousand runs.
# This bound lets at most so many containers of garbage pile up, some 80 MB.
SELDOM = (400_000, 20, 50)
NOW_AND_THEN = (50_000, 20, 20)
"""For a program that drops what it has made all at once, again and again."""


def relax_collector(*, seldom: bool = True) -> None:
    """Leave out what start-up has made, and look for cycles *seldom*, or now and then.

    For a service or a command, which calls it once.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*(SELDOM if seldom else NOW_AND_THEN))

"""The cyclic garbage collector, kept from stopping a control that holds a large fleet."""

import gc

# Looked through after so many more objects than before: of the youngest, of what
# survived 5 such rounds, and of everything after 80 of these, 2 million objects.
# By default 5,000 nodes that register cost 13 rounds through everything, up to 0.8 s
# each and 4.4 s in all; so they cost none. What is garbage by then is 200 MB at most.
THRESHOLDS = 5_000, 5, 80


def calm() -> None:
    """Look through what is new, and hardly ever through everything.

    To be called once, when what stays for ever is loaded: nothing looks at that again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)

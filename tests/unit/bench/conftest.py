"""The bench is for Linux: elsewhere its modules cannot even be imported."""

import sys

collect_ignore_glob = [] if sys.platform == "linux" else ["test_*.py"]

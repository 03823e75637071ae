"""multiprocessing.pool, under this name."""
import sys
from multiprocessing import pool

sys.modules[__name__] = pool

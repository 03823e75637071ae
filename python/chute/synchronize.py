"""multiprocessing.synchronize, under this name."""
import sys
from multiprocessing import synchronize

sys.modules[__name__] = synchronize

"""multiprocessing.managers, under this name."""
import sys
from multiprocessing import managers

sys.modules[__name__] = managers

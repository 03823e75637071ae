"""multiprocessing.sharedctypes, under this name."""
import sys
from multiprocessing import sharedctypes

sys.modules[__name__] = sharedctypes

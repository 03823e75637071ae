#!/usr/bin/python3
"""compare.py MEASURE [OPTION...] - chute and its peers, side by side.

Runs MEASURE (bench/measure.c) for each workload and peer, in turn, and prints
tables; the status is 1 if a message was lost, torn, late or doubled. The machine
is rarely alone: read ratios, not figures, and repeat what surprises.
"""
import argparse
import json
import sys

import runs
import tables

FOREIGN = {"boost": "libboost-dev", "ck": "libck-dev", "nng": "libnng-dev",
           "zmq": "libzmq3-dev"}


def matching(words, names, what):
    """Names that are a word, or begin with one and a colon or a dash."""
    if not words:
        return list(names)
    found = []
    for word in words.split(","):
        some = [n for n in names if n == word or n.startswith((word + ":", word + "-"))]
        if not some:
            sys.exit(f"compare: no {what} is called {word}; "
                     f"there are {', '.join(names)}")
        found += [n for n in some if n not in found]
    return found


def parsed(argv):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("measure", help="the program that measures")
    parser.add_argument("--workloads", metavar="A,B",
                        help="only these: " + " ".join(runs.WORKLOADS)
                        + "; 1x1 or trip is all that begin so")
    parser.add_argument("--peers", metavar="A,B", help="only these")
    runs.add_options(parser)
    parser.add_argument("--json", metavar="FILE", help="all figures of all rounds")
    return runs.complete(parser.parse_args(argv))


def main():
    options = parsed(sys.argv[1:])
    built = runs.peers_of(options.measure)
    peers = matching(options.peers, built, "peer")
    names = matching(options.workloads, runs.WORKLOADS, "workload")
    machine = runs.machine()
    results = runs.run(options.measure, [runs.WORKLOADS[n] for n in names], peers,
                       options.rounds, options.seconds, options.idle_seconds)

    print(f"{machine['cpu']}, {machine['cores']} cores, Linux {machine['kernel']}, "
          f"{machine['date']}; load before {machine['load_before']}; "
          f"medians of {options.rounds} x {options.seconds} s")
    for _, *table in tables.tables(results):
        print("\n" + tables.plain(*table))
    print()
    for reason, where in tables.left_out(results).items():
        print(f"left out: {reason} ({', '.join(where)})")
    for name, package in FOREIGN.items():
        if name not in built:
            print(f"left out: {name}, which was not built: it needs {package}")
    wrong = runs.failures(results)
    for failure in wrong:
        print(f"FAILED: {failure}")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"machine": machine, "rounds": options.rounds,
                       "seconds": options.seconds, "results": results}, file, indent=1)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

"""judge.py - what the benchmarks make of figures: medians, goals, tables."""
import pathlib
import sys
import unittest

ROOT = pathlib.Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "bench"), str(ROOT / "tests/python")]

import goals  # noqa: E402
import runs  # noqa: E402
import tables  # noqa: E402
import tap  # noqa: E402

RESULTS = {
    "fast": {"chute": {"rate": 3e6}, "slow": {"rate": 1e6}, "quick": {"rate": 2e6},
             "absent": {"left_out": "no"}, "broken": {"failed": "messages were lost"}},
    "long": {"chute": {"p50": 1.5}, "slow": {"p50": 4.0}, "quick": {"p50": 1.0}},
}


def verdict(workload, peers, **bounds):
    line, passed = goals.Goal(1, "a title", workload, "chute", peers, **bounds).judge(RESULTS)
    assert passed == (line[-1] == "pass"), line
    return line[2], line[5], line[-1]


class Judge(unittest.TestCase):
    def test_the_best_peer_counts(self):
        assert verdict("fast", ["slow", "quick"], at_least=1.4) == ("quick", "1.50", "pass")
        assert verdict("long", ["slow", "quick"], key="p50", at_most=1.4) == (
            "quick", "1.50", "FAIL")

    def test_a_bound_is_met_when_it_is_reached(self):
        assert verdict("fast", ["slow"], at_least=3)[2] == "pass"
        assert verdict("fast", ["slow"], at_least=3.01)[2] == "FAIL"
        assert verdict("long", ["quick"], key="p50", at_most=1.5)[2] == "pass"
        assert verdict("long", ["quick"], key="p50", at_most=1.49)[2] == "FAIL"

    def test_without_a_peer_the_figure_itself_counts(self):
        assert verdict("fast", [], at_least=3e6) == ("-", "-", "pass")
        assert verdict("fast", [], at_least=3.1e6)[2] == "FAIL"

    def test_what_was_not_measured_is_not_met(self):
        for peers in (["absent"], ["broken"], ["nobody"]):
            assert verdict("fast", peers, at_least=0)[2] == "not measured", peers
        assert verdict("nothing", [], at_least=0)[2] == "not measured"

    def test_every_goal_of_queues_names_a_workload_that_there_is(self):
        for goal in goals.GOALS:
            assert goal.workload in runs.WORKLOADS or goal.workload.startswith("python ")
            if goal.workload in runs.WORKLOADS:
                assert runs.WORKLOADS[goal.workload].is_for(goal.ours), goal.title
                if goal.theirs_in == goal.workload:
                    assert all(runs.WORKLOADS[goal.workload].is_for(p) for p in goal.peers)

    def test_one_failure_outweighs_all_medians(self):
        good = [{"rate": r} for r in (5, 1, 4, 2, 3)]
        assert runs.median_of(good)["rate"] == 3
        assert runs.median_of(good + [{"failed": "lost"}]) == {"failed": "lost"}
        assert runs.failures(RESULTS) == ["fast broken: messages were lost"]

    def test_a_table_has_the_best_first_and_shows_failures(self):
        head, rows = tables.table_of(RESULTS, "bytes", [
            ("8", "fast", ["rate"], tables.readable),
            ("trip", "long", ["p50"], tables.three_digits)])
        assert head == ["bytes", "8", "trip"]
        assert rows == [["chute", "3.00 M", "1.50"], ["quick", "2.00 M", "1.00"],
                        ["slow", "1.00 M", "4.00"], ["broken", "failed", "-"]], rows

    def test_figures_have_three_digits(self):
        shown = [tables.readable(x) for x in (1234567, 99950, 999, 12.3, 12345678, 0.5)]
        self.assertEqual(shown, ["1.23 M", "100 k", "999", "12.3", "12.3 M", "0.500"])
        shown = [tables.three_digits(x) for x in (0.0665, 1, 12.34, 999.4, 4004)]
        self.assertEqual(shown, ["0.0665", "1.00", "12.3", "999", "4004"])


if __name__ == "__main__":
    tap.main()

"""Reads Prometheus text from stdin with Prometheus' own parser; prints each family as `type name`. Status 1 where it is no
such text, or a histogram does not add up."""

import math
import sys

from prometheus_client.parser import text_string_to_metric_families

for family in text_string_to_metric_families(sys.stdin.read()):
    assert family.documentation, f"{family.name} is not explained"
    assert family.samples, f"{family.name} has no sample"
    if family.type == "histogram":
        buckets = [(float(s.labels["le"]), s.value) for s in family.samples if s.name.endswith("_bucket")]
        count = next(s.value for s in family.samples if s.name.endswith("_count"))
        assert buckets == sorted(buckets) and buckets[-1][0] == math.inf, f"{family.name}: {buckets}"
        assert all(a[1] <= b[1] for a, b in zip(buckets, buckets[1:])), f"{family.name}: {buckets}"
        assert buckets[-1][1] == count, f"{family.name}: {count} in all, but {buckets[-1]}"
    print(family.type, family.name)

"""Quality on pictures: test cases, scores, confidence intervals, tables, a gallery."""

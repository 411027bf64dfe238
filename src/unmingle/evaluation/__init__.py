"""Scores against labels: reading labels, exact metrics, and the report."""

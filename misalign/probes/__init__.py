"""Probes: how well a representation predicts a factor (section 5)."""

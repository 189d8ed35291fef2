"""Sweeps: grids of runs, executed by notebooks or here, recorded, and resumable."""

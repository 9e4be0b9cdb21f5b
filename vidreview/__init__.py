"""vidreview: forensic review of CCTV, from files of a seized drive to a timestamped event index."""

__version__ = "0.1.0"

"""What is measured; each module has ``measure(setting)``, which returns a ``report.Part``."""

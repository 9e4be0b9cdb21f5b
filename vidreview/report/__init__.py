"""Index → a report for people: one folder that opens without a network, and the same facts as a PDF."""

"""Disk images as evidence: recognised by content, read without mounting; what is in them are exhibits of their own.

``recognise`` looks at the first bytes and at the names of segments, ``disk`` reads partitions, folders and files with
The Sleuth Kit and libewf, ``walk`` lists an image in a process of its own, since a hostile file system may crash it.
"""

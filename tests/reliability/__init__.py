"""Fault enumeration: the real handlers on simulated time, with every call that leaves the process made to fail.

``python -m reliability`` (see ``make docs``) writes what it found to ``docs/reliability.md``.
"""

"""The life of an incident: counting, opening, muting, reminding, ending."""

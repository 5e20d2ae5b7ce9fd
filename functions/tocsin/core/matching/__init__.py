"""From a log line to the signatures that recognise it, and to the fingerprint of its alert."""

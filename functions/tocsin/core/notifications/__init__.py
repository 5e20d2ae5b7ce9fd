"""The notification contract: what is published, how it is read, and its plain-text form."""

"""The fire drill: one line followed from a log group to Slack."""

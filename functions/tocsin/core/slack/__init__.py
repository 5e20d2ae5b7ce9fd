"""A notification as Slack messages: blocks, text, limits, and the record of what was posted."""

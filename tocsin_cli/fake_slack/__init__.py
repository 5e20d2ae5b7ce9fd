"""A Slack that runs here: its Web API, its webhooks, its channel."""

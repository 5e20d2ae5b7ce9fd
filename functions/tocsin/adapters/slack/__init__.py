"""Slack over HTTP: the bot, the webhook, and their credentials."""

"""The configuration as files of the deployment package."""

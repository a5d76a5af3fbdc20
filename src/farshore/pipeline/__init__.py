"""Intent → plan → fabric → proof as functions, the same for the command line, an API and an agent."""

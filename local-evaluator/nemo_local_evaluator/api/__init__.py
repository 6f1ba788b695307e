"""The routes of the v1 REST API: each parses, calls one service method, and answers."""

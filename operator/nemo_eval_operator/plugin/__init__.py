"""`kubectl nemoeval`: commands of people and pipelines that follow runs, with the user's own rights.

`main` is the command line, `completion` completes words for the shell. Each command has a module of I/O; what
it shows is computed by pure functions: `outcome`, `links`, `rows`. Only `access` opens connections.
"""

"""The operator that Kopf's tutorial leads to, to compare with."""

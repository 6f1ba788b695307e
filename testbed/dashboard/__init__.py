"""The chart's Grafana dashboard, drawn without Grafana from the answers to its queries."""

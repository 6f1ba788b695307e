"""NeMo Evaluator's v1 REST API for laptops and CI: a local server that really evaluates."""

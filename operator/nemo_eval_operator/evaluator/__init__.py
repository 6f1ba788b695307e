"""The NeMo Evaluator's REST API. `model` has its data and errors, without HTTP; `http` has the client."""

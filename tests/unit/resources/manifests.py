"""A config and a target that hold every field NeMo documents, as a person would write them."""

from typing import Any

ENTITY: dict[str, Any] = {
    "name": "company-qa",
    "namespace": "team-a",
    "description": "Questions that our support desk gets",
    "project": "urn:project:support",
    "custom_fields": {"team": "search", "nested": {"weights": [1, 0.5, None, True]}},
    "ownership": {"created_by": "ada", "updated_by": "grace", "access_policies": {"read": "everyone"}},
}

DATASET: dict[str, Any] = {
    **ENTITY,
    "files_url": "hf://datasets/team-a/company-qa/testing.jsonl",
    "format": "beir",
    "hf_endpoint": "https://huggingface.co",
    "split": "test",
    "limit": 20,
}

FREE_FORM: dict[str, Any] = {
    "hf_token": "not-a-secret",
    "judge_llm": {
        "api_endpoint": {"url": "http://judge.test", "model_id": "judge", "api_key": "not-a-secret"},
        "temperature": 0,
    },
}

METRICS: dict[str, Any] = {
    "bleu": {"type": "bleu", "params": {"references": ["{{item.ideal_response | tojson}}"]}},
    "em": {"type": "em"},
}

CONFIG: dict[str, Any] = {
    **ENTITY,
    "type": "custom",
    "params": {
        "parallelism": 8,
        "request_timeout": 300,
        "max_retries": 0,
        "limit_samples": 10,
        "max_tokens": 200,
        "temperature": 0,
        "top_p": 0.00001,
        "stop": ["<|eot|>"],
        "extra": {"num_fewshot": 8, "use_greedy": True, "judge": {"url": "http://judge.test"}, "seed": None}
        | FREE_FORM,
    },
    "tasks": {
        "qa": {
            "type": "chat-completion",
            "params": {
                "template": {
                    "messages": "{% for m in item.messages %}{{ m | tojson }}{% endfor %}",
                    "max_tokens": 200,
                    "temperature": 1.0,
                }
            },
            "dataset": DATASET,
            "metrics": METRICS,
        },
        "by-name": {"type": "beir", "dataset": "team-a/scidocs"},
    },
    "groups": {
        "all": {
            "tasks": ["qa"],
            "metrics": METRICS,
            "groups": {"some": {"groups": {"few": {"groups": {"one": {"tasks": ["by-name"]}}}}}},
        }
    },
}

MODEL: dict[str, Any] = {
    **ENTITY,
    "api_endpoint": {
        "url": "http://nim.test/v1/chat/completions",
        "model_id": "meta/llama-3.1-8b-instruct",
        "api_key": "not-a-secret",
        "format": "openai",
    },
    "prompt": {
        "system_prompt": "detailed thinking on",
        "icl_few_shot_examples": "1 + 1 = 2",
        "system_prompt_template": "{{ system_prompt }} {{ icl_few_shot_examples }}",
        "inference_params": {"temperature": 0.6, "top_p": 1, "top_k": 5, "max_tokens": 77, "stop": ["#"]},
        "reasoning_params": {"end_token": "</think>", "include_if_not_finished": False, "effort": "low"},
    },
    "guardrails": {"files_url": "nds://guardrails/a"},
    "spec": {"num_parameters": 8},
    "artifact": {"files_url": "nds://models/a"},
    "base_model": "meta/llama-3.1-8b",
    "peft": {"type": "lora"},
}

RETRIEVER: dict[str, Any] = {
    "pipeline": {
        "query_embedding_model": "nvidia/embed",
        "index_embedding_model": MODEL,
        "reranker_model": {"api_endpoint": {"url": "http://rerank.test", "model_id": "nvidia/rerank"}},
        "top_k": 10,
    },
    "cached_outputs": {"files_url": "hf://datasets/team-a/retrieved"},
    "dataset": DATASET,
}

TARGET: dict[str, Any] = {
    **ENTITY,
    "type": "rag",
    "model": MODEL,
    "cached_outputs": {"files_url": "hf://datasets/team-a/outputs.jsonl"},
    "retriever": RETRIEVER,
    "rag": {
        "pipeline": {
            "retriever": RETRIEVER,
            "model": "meta/llama-3.1-8b-instruct",
            "context_ordering": "desc",
        },
        "cached_outputs": {"files_url": "hf://datasets/team-a/answers"},
        "dataset": DATASET,
    },
    "rows": [{"question": "Where is {{ x }}?", "score": 1, "weight": 1.0, "answer": None}],
    "dataset": DATASET,
}

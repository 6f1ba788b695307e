"""Config types `retriever` and `rag`: how well the documents retrieved for each query are ranked.

What was retrieved is read from the target (its cached outputs, a dataset, or rows), never retrieved here:
that would take embedding services. A row of it names a query (`query_id`, or `query` or `question` with its
text) and lists documents, best first (`retrieved_docs`, or `contexts` as RAGAS calls them): ids, texts, or
objects with `_id`, `text` and `score`. What is relevant is read from the task's dataset, by the task's type:

* `beir`   a directory with qrels/<split>.tsv (test by default), queries.jsonl and corpus.jsonl
* `squad`  SQuAD's JSON: relevant is the paragraph that a question was asked about
* `ragas`  rows with `ground_truths`: relevant is a document in which one of them is found. Without a
  dataset these are the target's own rows.

Measures are trec_eval's recall_K and ndcg_cut_K, means over the rows whose query was judged; the others are
counted as not-a-number. Of the two shapes on record, results have the newer one,
`tasks.<task>.metrics."retriever.recall_5".scores.recall_5`. The older,
`groups.<group>.metrics.evaluation.scores.recall_5`, comes in addition where the config defines groups: to
give both unasked would show every score twice.
"""

from .plan import plan

__all__ = ["plan"]

"""Tables of Stream2LLM, one rule per table; all written by scripts/table.py.

The script hands a rule's named inputs to `headrace.tables.<table>.write`.

Outputs: <results>/stream2llm/tables/*.{csv,md}; of another backend under <results>/stream2llm/<backend>
"""

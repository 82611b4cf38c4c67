"""Which models, when? Several language models behind one `%%llm` cell, with a receipt."""

__version__ = "0.1.0"

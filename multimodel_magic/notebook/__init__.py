"""What a person sees: magics, cards, charts. Only here IPython is imported."""

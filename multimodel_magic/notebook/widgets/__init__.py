"""What a person may operate in a notebook: playground, dashboard, config editor.

Each one is stock ipywidgets for what is typed and clicked, and ordinary outputs with a display id
for what is read. Outputs rather than HTML widgets, because JupyterLab saves outputs and no
widget state: what the reader saw last is what the reopened notebook shows, without a kernel.
Nothing is imported here: ipywidgets costs 0.1 s, on first use.
"""

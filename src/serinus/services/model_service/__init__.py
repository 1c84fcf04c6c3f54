"""model-service: loads one version of a model at start and predicts with it.

`app.build` puts it together; `routes` lists what it answers.
"""

"""The chart in a Kubernetes cluster: deploy, wait, roll, lead back; `session` has the verbs."""

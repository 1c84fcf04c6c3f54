"""Compiles monitoring objects of the chart into what real programs read. Pure.

ServiceMonitor, PodMonitor and PrometheusRule become Prometheus's configuration (`prometheus`) and
its targets (`targets`), AlertmanagerConfig becomes Alertmanager's (`alertmanager`), ConfigMaps with
dashboards become Grafana's provisioning (`grafana`). `dashboards` builds the dashboards themselves;
`vocabulary` says which metrics a query may name. Called by `serinus.local.monitoring`.
"""

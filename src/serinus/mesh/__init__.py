"""The mesh compiler: Istio objects become configuration of a real Envoy."""

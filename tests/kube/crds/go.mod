// Custom resource definitions only: scripts/kube-parts copies files of these modules, nothing is compiled.
module rollgate/tests/kube/crds

go 1.26.0

require (
	istio.io/api v1.31.4
	sigs.k8s.io/gateway-api v1.6.3
)

module nemo-eval-operator/programs/notifications

go 1.26.0

require (
	github.com/argoproj/notifications-engine v0.5.0
	sigs.k8s.io/yaml v1.6.0
)

require (
	github.com/expr-lang/expr v1.16.9 // indirect
	github.com/sirupsen/logrus v1.9.3 // indirect
	go.yaml.in/yaml/v2 v2.4.2 // indirect
	golang.org/x/sys v0.30.0 // indirect
)

// Command kstatus prints what kstatus, by which Flux and others wait, makes of objects of ours:
//
//	kstatus --kubeconfig FILE --namespace NAMESPACE PLURAL/NAME...
//
// as a JSON array of its verdicts, each beside the very object that it judged.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

const timeout = 30 * time.Second

var version = schema.GroupVersion{Group: "evaluator.nemo.dev", Version: "v1alpha1"}

type verdict struct {
	Object  *unstructured.Unstructured `json:"object"` // null where there is none of that name
	Status  status.Status              `json:"status"`
	Message string                     `json:"message"`
}

func main() {
	kubeconfig := flag.String("kubeconfig", "", "of the API server to read from")
	namespace := flag.String("namespace", "default", "of the objects")
	flag.Parse()
	verdicts, err := judge(*kubeconfig, *namespace, flag.Args())
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(verdicts)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func judge(kubeconfig, namespace string, names []string) ([]verdict, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	verdicts := make([]verdict, 0, len(names))
	for _, name := range names {
		plural, name, _ := strings.Cut(name, "/")
		objects := client.Resource(version.WithResource(plural)).Namespace(namespace)
		object, err := objects.Get(ctx, name, metav1.GetOptions{})
		if errors.IsNotFound(err) {
			verdicts = append(verdicts, verdict{Status: status.NotFoundStatus})
			continue
		}
		if err != nil {
			return nil, err
		}
		result, err := status.Compute(object)
		if err != nil {
			return nil, err
		}
		verdicts = append(verdicts, verdict{object, result.Status, result.Message})
	}
	return verdicts, nil
}

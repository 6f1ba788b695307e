// Evaluates triggers of Argo CD notifications by the library that Argo CD uses, and renders their messages.
//
// Standard input: {"config": the data of argocd-notifications-cm, "app": an Application}. Standard output: the
// messages that are sent, by trigger.
package main

import (
	"encoding/json"
	"log"
	"os"
	"strings"
	"text/template"

	"github.com/argoproj/notifications-engine/pkg/triggers"
	"sigs.k8s.io/yaml"
)

type input struct {
	Config map[string]string `json:"config"`
	App    map[string]any    `json:"app"`
}

func main() {
	log.SetFlags(0)
	var given input
	if err := json.NewDecoder(os.Stdin).Decode(&given); err != nil {
		log.Fatal(err)
	}
	messages, err := messagesOf(given)
	if err != nil {
		log.Fatal(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(messages); err != nil {
		log.Fatal(err)
	}
}

func messagesOf(given input) (map[string][]string, error) {
	vars := map[string]any{"app": given.App}
	messages := map[string][]string{}
	for key, text := range given.Config {
		name, isTrigger := strings.CutPrefix(key, "trigger.")
		if !isTrigger {
			continue
		}
		var conditions []triggers.Condition
		if err := yaml.UnmarshalStrict([]byte(text), &conditions); err != nil {
			return nil, err
		}
		service, err := triggers.NewService(map[string][]triggers.Condition{name: conditions})
		if err != nil {
			return nil, err
		}
		results, err := service.Run(name, vars)
		if err != nil {
			return nil, err
		}
		messages[name] = []string{}
		for _, result := range results {
			for _, sent := range result.Templates {
				if !result.Triggered {
					continue
				}
				message, err := rendered(given.Config["template."+sent], vars)
				if err != nil {
					return nil, err
				}
				messages[name] = append(messages[name], message)
			}
		}
	}
	return messages, nil
}

// rendered returns the message of a template; Argo CD renders it by text/template too.
func rendered(text string, vars map[string]any) (string, error) {
	var notification struct {
		Message string `json:"message"`
	}
	if err := yaml.UnmarshalStrict([]byte(text), &notification); err != nil {
		return "", err
	}
	parsed, err := template.New("message").Parse(notification.Message)
	if err != nil {
		return "", err
	}
	var written strings.Builder
	err = parsed.Execute(&written, vars)
	return written.String(), err
}

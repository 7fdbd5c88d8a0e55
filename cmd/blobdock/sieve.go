package main

import (
	"fmt"
	"os"
	"path"
	"regexp"
	"strings"

	"github.com/distribution/distribution/v3/configuration"
	"go.yaml.in/yaml/v2"

	"github.com/blobdock/blobdock/driver"
	blobdock "github.com/blobdock/blobdock/registry"
)

// sieve are secrets that must not be in a text that was made elsewhere: an error, a detail.
// Errors have none to begin with; a page that strangers read does not rely on it.
type sieve []string

// shortest is the length below which a value is no secret, and stands in other words.
const shortest = 6

// secretVariable matches names of environment variables with secrets.
var secretVariable = regexp.MustCompile(`(?i)KEY|SECRET|TOKEN|PASSWORD|SAS|CONNECTION_?STRING`)

// environmentSecrets are the values of variables with secrets.
func environmentSecrets() (s sieve) {
	for _, kv := range os.Environ() {
		if name, value, _ := strings.Cut(kv, "="); secretVariable.MatchString(name) {
			s.add(value)
		}
	}
	return s
}

func (s *sieve) add(secret string) {
	if secret = strings.TrimSpace(secret); len(secret) >= shortest {
		*s = append(*s, secret)
	}
}

// addConfig adds what a configuration has that is not printed.
func (s *sieve) addConfig(config *configuration.Configuration) {
	if c, err := blobdock.ParseConfig(config.Storage.Parameters()); err == nil && config.Storage.Type() == blobdock.Name {
		for name, value := range c.Overrides {
			if secretVariable.MatchString(name) {
				s.add(value)
			}
		}
	}
	text, err := yaml.Marshal(config)
	if err != nil {
		return
	}
	var tree yaml.MapSlice
	if err := yaml.Unmarshal(text, &tree); err == nil {
		s.addTree("", tree)
	}
}

// addTree adds the texts of a tree that redactTree takes out.
func (s *sieve) addTree(at string, v any) {
	switch v := v.(type) {
	case yaml.MapSlice:
		for _, item := range v {
			s.addTree(path.Join(at, fmt.Sprint(item.Key)), item.Value)
		}
	case []any:
		for _, item := range v {
			s.addTree(at, item)
		}
	case string:
		if redactText(at, v) == driver.Redacted {
			s.add(v)
		}
	}
}

// clean is text without the secrets, and without what URLs may have.
func (s sieve) clean(text string) string {
	for _, secret := range s {
		text = strings.ReplaceAll(text, secret, driver.Redacted)
	}
	return redactURLs(text)
}

// quoted is how YAML's errors cite a value.
var quoted = regexp.MustCompile("`[^`]*`")

// hideQuoted takes values out of an error of YAML's.
func hideQuoted(text string) string { return quoted.ReplaceAllString(text, "`"+driver.Redacted+"`") }

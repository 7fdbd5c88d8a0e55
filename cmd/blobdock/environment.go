package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/distribution/distribution/v3/configuration"
	yamlv2 "go.yaml.in/yaml/v2"
	"go.yaml.in/yaml/v3"

	"github.com/blobdock/blobdock/driver"
)

// variable is an environment variable that may override a setting.
type variable struct {
	name, value string
	path        []string // of the setting, in upper case
}

// prefix begins the name of each such variable.
const prefix = "REGISTRY_"

// variables returns the process's overrides, sorted by name: REGISTRY_STORAGE comes before
// REGISTRY_STORAGE_BLOBDOCK_URL.
func variables() []variable {
	var all []variable
	for _, kv := range os.Environ() {
		name, value, _ := strings.Cut(kv, "=")
		path, ours := strings.CutPrefix(name, prefix)
		if ours && name != "REGISTRY_CONFIGURATION_PATH" {
			all = append(all, variable{name, value, strings.Split(path, "_")})
		}
	}
	slices.SortFunc(all, func(a, b variable) int { return strings.Compare(a.name, b.name) })
	return all
}

// parse reads a configuration and applies the environment variables. It does so in place of
// distribution's parser, which ignores variables of nested sections such as
// REGISTRY_STORAGE_MAINTENANCE_READONLY_ENABLED where the file has the section, and panics on
// some others. Errors name the variable, and never its value. ignored are the variables that
// name no setting.
func parse(text []byte) (config *configuration.Configuration, ignored []string, err error) {
	all := variables()
	text, ignored, err = override(text, all)
	if err != nil {
		return nil, nil, err
	}
	// They are applied, and distribution's parser must not see them.
	for _, v := range all {
		_ = os.Unsetenv(v.name)
	}
	defer func() {
		for _, v := range all {
			_ = os.Setenv(v.name, v.value)
		}
	}()
	config, err = configuration.Parse(bytes.NewReader(text))
	return config, ignored, err
}

// override returns a configuration with the settings that variables override.
func override(text []byte, all []variable) (changed []byte, ignored []string, err error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil || len(doc.Content) == 0 {
		return text, nil, nil //nolint:nilerr // distribution's parser tells what is wrong with the file
	}
	root, applied := doc.Content[0], false
	for _, v := range all {
		next, err := set(root, reflect.TypeFor[configuration.Configuration](), v.path, v.value)
		if errors.Is(err, errNoSetting) {
			ignored = append(ignored, v.name)
			continue
		}
		if byKubernetes(v, all) {
			err = errors.New("it is set by Kubernetes for a service of that name: set enableServiceLinks: false in the pod's spec")
		}
		if err == nil {
			err = oneOf(root, v)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("environment variable %s: %w: %w", v.name, err, driver.Invalid)
		}
		root, applied = next, true
	}
	if !applied {
		return text, ignored, nil
	}
	changed, err = yaml.Marshal(root)
	return changed, ignored, err
}

// errNoSetting is the error of a variable that names no setting.
var errNoSetting = errors.New("there is no such setting")

// set returns node, a value of type t, with the setting at path replaced. It does not change
// node. t is an interface type where any value will do.
func set(node *yaml.Node, t reflect.Type, path []string, value string) (*yaml.Node, error) {
	for node != nil && node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if len(path) == 0 {
		return leaf(t, value)
	}
	switch t.Kind() {
	case reflect.Struct:
		name, field, ok := fieldOf(t, path[0])
		if !ok {
			return nil, errNoSetting
		}
		return setKey(node, name, field, path[1:], value)
	case reflect.Map:
		return setKey(node, keyOf(node, path[0]), t.Elem(), path[1:], value)
	case reflect.Slice:
		return setItem(node, t.Elem(), path, value)
	case reflect.Interface:
		if node != nil && node.Kind == yaml.SequenceNode {
			return setItem(node, t, path, value)
		}
		return setKey(node, keyOf(node, path[0]), t, path[1:], value)
	default:
		return nil, errNoSetting
	}
}

// fieldOf finds the field of a struct by its name in Go, as distribution's parser does, or in
// YAML.
func fieldOf(t reflect.Type, upper string) (name string, field reflect.Type, ok bool) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if options == "inline" {
			if name, field, ok := fieldOf(f.Type, upper); ok {
				return name, field, true
			}
			continue
		}
		if name == "" {
			name = strings.ToLower(f.Name)
		}
		// The version is that of the file's own form.
		if f.Type != reflect.TypeFor[configuration.Version]() && (strings.ToUpper(f.Name) == upper || strings.ToUpper(name) == upper) {
			return name, f.Type, true
		}
	}
	return "", nil, false
}

// keyOf returns the key of a mapping that a variable names, which can have no underscores, or a
// new one in lower case.
func keyOf(node *yaml.Node, upper string) string {
	if node != nil && node.Kind == yaml.MappingNode {
		for i := 0; i < len(node.Content); i += 2 {
			if key := node.Content[i].Value; strings.ToUpper(strings.ReplaceAll(key, "_", "")) == upper {
				return key
			}
		}
	}
	return strings.ToLower(upper)
}

// setKey is set of a key of a mapping. A mapping takes the place of what is none.
func setKey(node *yaml.Node, key string, t reflect.Type, path []string, value string) (*yaml.Node, error) {
	next := &yaml.Node{Kind: yaml.MappingNode}
	switch {
	case node != nil && node.Kind == yaml.MappingNode:
		next.Content = slices.Clone(node.Content)
	case node != nil && node.Kind == yaml.ScalarNode && t == reflect.TypeFor[configuration.Parameters]() && node.Value != "" && node.Tag != "!!null" && node.Value != key:
		// "storage: inmemory" is short for "storage: {inmemory: {}}".
		next.Content = append(next.Content, text(node.Value), &yaml.Node{Kind: yaml.MappingNode})
	}
	for i := 0; i < len(next.Content); i += 2 {
		if next.Content[i].Value == key {
			child, err := set(next.Content[i+1], t, path, value)
			next.Content[i+1] = child
			return next, err
		}
	}
	child, err := set(nil, t, path, value)
	next.Content = append(next.Content, text(key), child)
	return next, err
}

// setItem is set of an item of a list, or of the first behind its end.
func setItem(node *yaml.Node, t reflect.Type, path []string, value string) (*yaml.Node, error) {
	next := &yaml.Node{Kind: yaml.SequenceNode}
	if node != nil && node.Kind == yaml.SequenceNode {
		next.Content = slices.Clone(node.Content)
	}
	var i int
	if n, err := fmt.Sscanf(path[0]+"\n", "%d\n", &i); err != nil || n != 1 || i < 0 || i > len(next.Content) {
		return nil, fmt.Errorf("%s: want the index of an item from 0 to %d", path[0], len(next.Content))
	}
	if i == len(next.Content) {
		next.Content = append(next.Content, nil)
	}
	child, err := set(next.Content[i], t, path[1:], value)
	next.Content[i] = child
	return next, err
}

func text(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s} }

// leaf is a variable's value, which is YAML. A value for a text that is no YAML of a scalar, as
// passwords may not be, is the text itself.
func leaf(t reflect.Type, value string) (*yaml.Node, error) {
	var doc yaml.Node
	isYAML := yaml.Unmarshal([]byte(value), &doc) == nil
	isEmpty := len(doc.Content) == 0 // a comment is, too
	trimmed := strings.TrimSpace(value)
	switch k := t.Kind(); {
	case !isYAML && k != reflect.String && k != reflect.Interface:
		return nil, fmt.Errorf("the value is no YAML, want %s", kindOf(t))
	case !isYAML, isEmpty && trimmed != "" && (k == reflect.String || k == reflect.Interface),
		!isEmpty && k == reflect.String && doc.Content[0].Kind != yaml.ScalarNode:
		return text(trimmed), nil
	case isEmpty:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}, nil
	}
	if yamlv2.Unmarshal([]byte(value), reflect.New(t).Interface()) != nil {
		return nil, fmt.Errorf("the value does not fit, want %s", kindOf(t))
	}
	return doc.Content[0], nil
}

// kindOf says what a value of type t looks like.
func kindOf(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[configuration.Loglevel]():
		return "error, warn, info or debug"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case strings.HasSuffix(t.String(), "Duration"):
		return "a duration such as 5m"
	case t.Kind() == reflect.String:
		return "one of the texts that the setting allows"
	case t.Kind() == reflect.Slice:
		return "a list such as [a, b]"
	case t.Kind() == reflect.Map, t.Kind() == reflect.Struct:
		return "a section such as {name: value}"
	default:
		return "a number"
	}
}

// beside are the sections of storage that are no storage drivers.
var beside = []string{"maintenance", "cache", "delete", "redirect", "tag"}

// oneOf returns an error for a variable of another storage driver, or of another kind of
// authorization, than root has: of either there can be one.
func oneOf(root *yaml.Node, v variable) error {
	if len(v.path) < 2 || v.path[0] != "STORAGE" && v.path[0] != "AUTH" {
		return nil
	}
	section := child(root, strings.ToLower(v.path[0]))
	name := keyOf(section, v.path[1])
	if section == nil || slices.Contains(beside, name) {
		return nil
	}
	var have []string
	switch section.Kind {
	case yaml.ScalarNode:
		have = []string{section.Value}
	case yaml.MappingNode:
		for i := 0; i < len(section.Content); i += 2 {
			have = append(have, section.Content[i].Value)
		}
	}
	for _, other := range have {
		if other != "" && other != name && (v.path[0] == "AUTH" || !slices.Contains(beside, other)) {
			return fmt.Errorf("it sets %s.%s, and the configuration has %[1]s.%[3]s, of which there can be one: unset it, or set %s to choose", strings.ToLower(v.path[0]), name, other, prefix+v.path[0])
		}
	}
	return nil
}

// child returns the value of a key of a mapping, or nil.
func child(node *yaml.Node, key string) *yaml.Node {
	if node == nil || node.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i < len(node.Content); i += 2 {
		if node.Content[i].Value == key {
			return node.Content[i+1]
		}
	}
	return nil
}

// serviceLink matches the variables that Kubernetes sets for each port of a service.
// https://kubernetes.io/docs/tutorials/services/connect-applications-service/#environment-variables
var serviceLink = regexp.MustCompile(`^(REGISTRY_.+?)_(SERVICE_HOST|SERVICE_PORT(_.+)?|PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`)

// byKubernetes reports whether v is one of the variables of a service, of which there are
// always several.
func byKubernetes(v variable, all []variable) bool {
	m := serviceLink.FindStringSubmatch(v.name)
	if m == nil {
		return false
	}
	for _, sibling := range []string{m[1] + "_SERVICE_HOST", m[1] + "_SERVICE_PORT", m[1] + "_PORT"} {
		if !slices.ContainsFunc(all, func(other variable) bool { return other.name == sibling }) {
			return false
		}
	}
	return true
}
